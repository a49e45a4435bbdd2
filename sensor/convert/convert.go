package convert

import (
	"encoding/binary"
	"slices"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// Converter converts the events of a source, one after the other.
type Converter struct {
	kept    kept
	view    event.View // of the enter event that is taken
	encoder event.Encoder
	enter   Enter
	taken   bool
	used    bool // in one of the steps

	// The event in the making.
	typ    uint16
	params [event.MaxParams][]byte
	n      int
	json   []byte
}

// New returns a converter that has seen nothing.
func New() *Converter { return &Converter{kept: kept{threads: map[int64]*Enter{}}} }

// Lost is how many enter events were forgotten before their exits came.
func (c *Converter) Lost() uint64 { return c.kept.lost }

// Result is what becomes of an event.
type Result struct {
	Record []byte // nil: nothing, or not yet; valid until the next event
	Hidden bool   // it changes the state and is not shown
	Enter  *Enter // what its last parameters are from; nil: not from elsewhere
}

// maxSteps bounds how often an event is converted. The longest way is that of
// an execve of 8 parameters, through its later codes.
const maxSteps = 32

// Convert converts the event v of a CPU. What cannot be converted stays as it is.
func (c *Converter) Convert(v *event.View, cpu uint16, hidden bool) Result {
	if v.Type() == syscalls.ProcExitE {
		c.kept.end(v.TID())
	}
	c.typ, c.n, c.used = v.Type(), v.NumParams(), false
	for i := range c.n {
		c.params[i] = v.Param(i)
	}
	changed := false
	for range maxSteps {
		conv := c.conversion()
		if conv == nil {
			break
		}
		switch conv.Do {
		case syscalls.Keep:
			c.kept.keep(v, cpu, hidden)
			return Result{}
		case syscalls.KeepPass:
			c.kept.keep(v, cpu, hidden)
			return Result{Record: c.record(v, changed), Hidden: true}
		case syscalls.Pass:
			return Result{Record: c.record(v, changed), Hidden: true}
		case syscalls.ContainerJSON:
			c.container()
		default:
			c.fill(v, conv)
		}
		changed = true
	}
	if dropped(c.typ) {
		return Result{}
	}
	r := Result{Record: c.record(v, changed), Hidden: half(c.typ)}
	if c.used {
		r.Enter = &c.enter
	}
	return r
}

// dropped reports whether events of a code are of no use beside the exit of their
// call. Some that are no half of a call go with them, of which nobody has heard
// for years.
func dropped(typ uint16) bool {
	flags := syscalls.Events[typ].Flags
	if flags&syscalls.Unused != 0 {
		return true
	}
	return syscalls.IsEnter(typ) && flags&syscalls.OldVersion != 0
}

// half reports whether events of a code are the enter half of a call.
func half(typ uint16) bool {
	return syscalls.IsEnter(typ) && syscalls.Events[typ+1].Flags&syscalls.Unused == 0 && syscalls.Events[typ].Class != syscalls.CategoryInternal
}

// conversion is what is to be done with the event as it is now.
func (c *Converter) conversion() *syscalls.Conversion {
	list := syscalls.Conversions(c.typ)
	for i := range list {
		if list[i].Params == c.n {
			return &list[i]
		}
	}
	return nil
}

// record is the event as it is now.
func (c *Converter) record(v *event.View, changed bool) []byte {
	if !changed {
		return v.Bytes()
	}
	c.encoder.Begin(v.Time(), v.TID(), c.typ, c.n)
	for _, p := range c.params[:c.n] {
		c.encoder.Bytes(p)
	}
	rec, err := c.encoder.End()
	if err != nil {
		return v.Bytes() // too long with all of it
	}
	return rec
}

// fill makes the parameters of a conversion.
func (c *Converter) fill(v *event.View, conv *syscalls.Conversion) {
	old, from := c.params, syscalls.Events[c.typ].Params
	c.taken = false
	needsEnter := slices.ContainsFunc(conv.Values, func(x syscalls.Value) bool {
		return x.From == syscalls.OfEnter || x.From == syscalls.OfEnterOrNothing
	})
	if needsEnter {
		var e Enter
		if e, c.taken = c.kept.take(v.TID(), v.Type()-1, &c.view); c.taken {
			c.enter, c.used = e, true
		}
	}
	c.typ, c.n = conv.To, len(conv.Values)
	for i, x := range conv.Values {
		p := &syscalls.Events[c.typ].Params[i]
		b := c.value(&old, x, p)
		if x.From == syscalls.OfEvent && int(x.Index) < len(from) && from[x.Index].Type == syscalls.Dyn && p.Type != syscalls.Dyn {
			b = b[min(1, len(b)):] // of several types that it could have
		}
		if size := p.Type.Size(); size > 0 && len(b) > size {
			b = narrow(b, size)
		}
		c.params[i] = b
	}
}

func (c *Converter) value(old *[event.MaxParams][]byte, x syscalls.Value, p *syscalls.Param) []byte {
	switch x.From {
	case syscalls.OfEvent:
		return old[x.Index]
	case syscalls.OfEnter, syscalls.OfEnterOrNothing:
		if b := c.view.Param(int(x.Index)); c.taken && b != nil {
			return b
		}
	}
	if x.From == syscalls.OfZero || x.From == syscalls.OfEnter {
		return zero(p.Type)
	}
	return nil
}

// narrow is a number in fewer bytes.
func narrow(b []byte, size int) []byte {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return b[:size]
	}
	return b[len(b)-size:]
}

var (
	zeros [16]byte
	ones  = [4]byte{0xff, 0xff, 0xff, 0xff}
)

// zero is what a parameter of a type has that nobody has filled.
func zero(t syscalls.Type) []byte {
	if t == syscalls.UID || t == syscalls.GID {
		return ones[:]
	}
	return zeros[:t.Size()]
}
