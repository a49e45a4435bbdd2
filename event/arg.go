package event

import "github.com/pdig/pdig/syscalls"

// arg is one parameter as it is shown.
type arg struct {
	param  *syscalls.Param
	name   string
	typ    syscalls.Type
	newest syscalls.Tag // flags that are younger have no name
	raw    []byte
	style  Style

	// What raw is as a number, if it is one.
	number   bool
	unsigned uint64
	signed   int64
}

// shownArg returns parameter i of the edition of the event that is shown, which
// is event shown, and whether there is one to show.
func shownArg(v *View, shown uint16, i int) (a arg, ok bool) {
	p := &syscalls.Events[shown].Params[i]
	a.param, a.name, a.typ = p, p.Name, p.Type
	if int(shown) >= syscalls.CeilingA {
		a.newest = allTags
	} else if p.Old != nil {
		a.name, a.typ = p.Old.Name, p.Old.Type
	}

	switch {
	case i < v.params:
		a.set(v.Param(i))
	case shown != v.typ && p.Source.Op == syscalls.OpConst:
		// The older edition of a call's event has a parameter more, of which
		// producers always sent the same number.
		a.unsigned, a.signed, a.number = uint64(p.Source.Const), p.Source.Const, true
	default:
		return a, false
	}
	return a, true
}

// arg returns parameter i of the edition of the event that is shown, which is
// event shown.
func (v *View) arg(shown uint16, i int) (arg, bool) {
	if v.Style == Newest {
		return newestArg(v, i)
	}
	return shownArg(v, shown, i)
}

// todaysArg returns parameter i as the newest version has it, and whether the
// record holds it.
func todaysArg(v *View, i int) (a arg, ok bool) {
	if v.info == nil || i < 0 || i >= min(v.params, len(v.info.Params)) {
		return a, false
	}
	p := &v.info.Params[i]
	a.param, a.name, a.typ, a.newest, a.style = p, p.Name, p.Type, allTags, v.Style
	a.set(v.Param(i))
	return a, true
}

const allTags = syscalls.Tag(len(syscalls.TagNames))

// set makes raw the value.
func (a *arg) set(raw []byte) {
	a.raw = raw
	if a.typ == syscalls.Dyn {
		a.choose()
	}
	a.unsigned, a.signed, a.number = number(a.raw)
}

// choose makes a parameter of a dynamic type one of the type that its first
// byte selects, with its own number format. If there is none it has no value.
func (a *arg) choose() {
	raw := a.raw
	a.typ, a.raw = syscalls.None, nil
	if len(raw) == 0 {
		return
	}
	if selector := int(raw[0]); selector < len(a.param.Dyn) {
		a.typ, a.raw = a.param.Dyn[selector].Type, raw[1:]
	}
}

// neverFilled reports whether no producer has a text for the parameter.
func (a *arg) neverFilled() bool {
	src := &a.param.Source
	return src.Op == syscalls.OpNone || src.Op == syscalls.OpFunc && src.Func == syscalls.FuncEmpty
}
