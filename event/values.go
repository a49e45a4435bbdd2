package event

import "github.com/pdig/pdig/syscalls"

// AppendValue appends what parameter i stands for, or its text if it stands for
// nothing else, and reports whether the record has the parameter. n may not be
// nil.
func (p *Printer) AppendValue(dst []byte, v *View, i int, n Names) ([]byte, bool) {
	a, ok := paramArg(v, i)
	if !ok {
		return dst, false
	}
	start := len(dst)
	if dst = p.appendResolved(dst, &a, v, n); len(dst) > start {
		return dst, true
	}
	return p.appendText(dst, &a, n), true
}

// paramArg returns parameter i as the edition that is shown has it, or, if that
// has none, as the newest version does.
func paramArg(v *View, i int) (arg, bool) {
	if shown, count := v.edition(); uint(i) < uint(count) {
		return v.arg(shown, i)
	}
	return todaysArg(v, i)
}

// ParamIndex returns which parameter of events of type typ has a name, today or
// in the edition that is shown; -1 if none has.
func ParamIndex(typ uint16, name string) int {
	params := syscalls.Events[typ].Params
	for i := range params {
		if params[i].Name == name {
			return i
		}
	}
	for i := range params {
		if old := params[i].Old; old != nil && old.Name == name {
			return i
		}
	}
	return -1
}

// ErrnoName returns the name of a result that is an error, "" if it is none or
// has no name.
func ErrnoName(res int64) string { return errnoName(res) }

// AppendHex appends n in hexadecimal digits, as sysdig does: in upper case.
func AppendHex(dst []byte, n uint64) []byte { return appendHex(dst, n) }

// AppendOctal appends n in octal digits, with a 0 before them.
func AppendOctal(dst []byte, n uint64) []byte { return appendOctal(dst, n) }

// AppendData appends raw bytes as the printer shows them.
func (p *Printer) AppendData(dst, raw []byte) []byte { return p.appendData(dst, raw) }

// Generic reports whether the event is of a system call that has no events of its
// own.
func (v *View) Generic() bool { return generic(v.typ) }

// CallName returns the name that a generic event with Falco's number of a system
// call is shown with.
func CallName(id uint64) string { return callName(id) }
