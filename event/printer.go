package event

import "github.com/pdig/pdig/syscalls"

// Printer writes the parameters of events as sysdig 0.29.3 does, with the names
// and types of its event table, or, in the newest style, as sysdig 0.41.4 does.
//
// It departs from sysdig in four things. Control characters in strings, which sysdig
// writes as they are, are escaped ([AppendLine]), so that an event is one line
// whatever a program calls its files. A number that the record does
// not hold, where sysdig reads on in the record, is <NA>, and so is a string of
// no length, unless no producer fills it; what sysdig reads beyond an address
// that is too short is INVALID. A system call that sysdig does not know is shown
// with the name that it has today.
//
// The zero Printer is ready for use.
type Printer struct {
	Data     DataStyle // how bytes are shown that are no text
	Long     bool      // do not cut them at 80 characters
	Verbatim bool      // strings as they are: for what escapes by itself, or compares

	text []byte // to be escaped
}

// Edition returns as which event one of type typ is shown: as the one that
// sysdig 0.29.3 has for the call if typ is newer, else as typ itself; and how
// many parameters it is shown with, which is how many that version has.
func Edition(typ uint16) (shown uint16, nparams int) {
	shown = syscalls.Older(typ)
	if int(shown) >= len(syscalls.Events) {
		return shown, 0
	}
	params := syscalls.Events[shown].Params
	if int(shown) >= syscalls.CeilingA {
		return shown, len(params)
	}
	for nparams < len(params) && params[nparams].Since == 0 {
		nparams++
	}
	return shown, nparams
}

// Name returns the name that an event of type typ is shown with. Generic events
// have one of their own each, see [View.Name].
func Name(typ uint16) string {
	if shown, _ := Edition(typ); int(shown) < len(syscalls.Events) {
		return syscalls.Events[shown].Name
	}
	return "<unknown>"
}

// Name returns the name that the event is shown with: of a generic one that of
// the system call, if Falco has a number for it.
func (v *View) Name() string {
	if v.Style == Newest {
		return v.newestName()
	}
	if !generic(v.typ) {
		return Name(v.typ)
	}
	id, _ := v.Uint(0)
	return callName(id)
}

func generic(typ uint16) bool { return typ == syscalls.GenericE || typ == syscalls.GenericX }

// oldCalls are the names of calls that sysdig 0.29.3 has another name for.
var oldCalls = map[uint64]string{
	283: "newselect",
	292: "llseek",
	298: "sigreturn",
	305: "setuid",
	306: "getuid",
	307: "setgid",
	308: "geteuid",
	309: "getgid",
	310: "setresuid",
	311: "setresgid",
	312: "getresuid",
	313: "getresgid",
}

func callName(id uint64) string {
	if name, ok := oldCalls[id]; ok {
		return name
	}
	switch {
	case id == 0:
		return "<unknown>"
	case id >= uint64(len(syscalls.SCNames)):
		return "<unknown syscall>"
	}
	return syscalls.SCNames[id]
}

// AppendInfo appends name=text for every parameter that the event is shown with,
// and a blank behind it but, in the newest style, behind the last; nothing for a
// generic event. n may not be nil.
func (p *Printer) AppendInfo(dst []byte, v *View, n Names) []byte {
	if generic(v.typ) {
		return dst
	}
	start := len(dst)
	shown, count := v.edition()
	for i := range count {
		a, ok := v.arg(shown, i)
		if !ok {
			break
		}
		dst = append(dst, a.name...)
		dst = append(dst, '=')
		dst = p.append(dst, &a, v, n)
		dst = append(dst, ' ')
	}
	if v.Style == Newest && len(dst) > start {
		return dst[:len(dst)-1]
	}
	return dst
}

// AppendParam appends the text of parameter i, with what it resolves to in
// parentheses. A parameter that sysdig 0.29.3 does not have is written as the
// newest version has it; one that the record does not hold adds nothing. n may
// not be nil.
func (p *Printer) AppendParam(dst []byte, v *View, i int, n Names) []byte {
	a, ok := paramArg(v, i)
	if !ok {
		return dst
	}
	return p.append(dst, &a, v, n)
}

// append appends the text of an argument, and what it resolves to.
func (p *Printer) append(dst []byte, a *arg, v *View, n Names) []byte {
	dst = p.appendText(dst, a, n)
	end := len(dst)
	dst = p.appendResolved(append(dst, '('), a, v, n)
	if len(dst) == end+1 {
		return dst[:end]
	}
	return append(dst, ')')
}
