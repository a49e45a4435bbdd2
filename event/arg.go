package event

import "github.com/pdig/pdig/syscalls"

// arg is one parameter as it is shown.
type arg struct {
	param  *syscalls.Param
	name   string
	typ    syscalls.Type
	newest syscalls.Tag // flags that are younger have no name
	raw    []byte

	// What raw is as a number, if it is one.
	number   bool
	unsigned uint64
	signed   int64
}

// argument returns parameter i of the edition of the event that is shown, and
// whether there is one to show.
func argument(v *View, i int) (a arg, ok bool) {
	shown, count := Edition(v.typ)
	if v.info == nil || i < 0 || i >= count {
		return a, false
	}
	p := &syscalls.Events[shown].Params[i]
	a.param, a.name, a.typ = p, p.Name, p.Type
	if int(shown) >= syscalls.CeilingA {
		a.newest = syscalls.Tag(len(syscalls.TagNames))
	} else if p.Old != nil {
		a.name, a.typ = p.Old.Name, p.Old.Type
	}

	switch {
	case i < v.params:
		a.raw = v.Param(i)
		if a.typ == syscalls.Dyn {
			a.choose()
		}
		a.unsigned, a.signed, a.number = number(a.raw)
	case shown != v.typ && p.Source.Op == syscalls.OpConst:
		// The older edition of a call's event has a parameter more, of which
		// producers always sent the same number.
		a.unsigned, a.signed, a.number = uint64(p.Source.Const), p.Source.Const, true
	default:
		return a, false
	}
	return a, true
}

// choose makes a parameter of a dynamic type one of the type that its first
// byte selects. It keeps its number format.
func (a *arg) choose() {
	a.typ = syscalls.None
	if len(a.raw) == 0 {
		return
	}
	selector := a.raw[0]
	a.raw = a.raw[1:]
	if int(selector) < len(a.param.Dyn) {
		a.typ = a.param.Dyn[selector].Type
	}
}
