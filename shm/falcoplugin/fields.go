package falcoplugin

import (
	"strings"
)

// Field is one of those that the host asks us for.
type Field struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Display string `json:"display"`
	Desc    string `json:"desc"`

	get func(*about, *Value, *Plugin)
}

// Value is that of a field of an event.
type Value struct {
	Text   []byte
	Number uint64
	Known  bool // the event has one
}

// fields are listed in docs/falco.md.
var fields = []Field{
	{Type: "string", Name: "pdig.object", Display: "Object", Desc: "path of the file that the descriptor is really of or the call has executed, or address of the socket as the kernel has it", get: object},
	{Type: "string", Name: "pdig.mismatch", Display: "Mismatch", Desc: "what the kernel has not done as the event says: argument, object or argument,object; missing where it has", get: mismatch},
	{Type: "string", Name: "pdig.argument", Display: "Argument afterwards", Desc: "the argument as it was when the call had ended, if that is another one", get: argument},
	{Type: "string", Name: "pdig.ring", Display: "Ring", Desc: "name of the ring that the event was read from, without its directory: which tracer it is from where each has a ring of its own", get: ringName},
	{Type: "uint64", Name: "pdig.lost", Display: "Lost", Desc: "number of events that were lost before this one and after the one before; missing where there are none", get: lost},
}

// Fields is the JSON text of the fields.
func Fields() string { return marshal(fields) }

// NumberField reports whether the values of a field are numbers.
func NumberField(id int) bool { return fields[id].Type == "uint64" }

// Field looks a field up of the event that the host has at an address. It has no
// value if that is none of ours, or the number of no field. What the value points
// to is valid as long as the event is.
func (p *Plugin) Field(at uintptr, id int) (v Value) {
	if uint(id) >= uint(len(fields)) {
		return v
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.instances {
		// One that is being read has no event that is asked about.
		if !i.mu.TryLock() {
			continue
		}
		a := i.batch.find(at)
		if a != nil {
			fields[id].get(a, &v, p)
		}
		i.mu.Unlock()
		if a != nil {
			break
		}
	}
	return v
}

func object(a *about, v *Value, p *Plugin) {
	if p.view.Parse(a.whole) != nil {
		return
	}
	t, ok := p.view.Truth()
	v.Text, v.Known = t.Object, ok && len(t.Object) > 0
}

func mismatch(a *about, v *Value, p *Plugin) {
	if p.view.Parse(a.whole) != nil {
		return
	}
	t, ok := p.view.Truth()
	text := t.Mismatch.String()
	v.Text, v.Known = []byte(text), ok && text != ""
}

func argument(a *about, v *Value, p *Plugin) {
	if p.view.Parse(a.whole) != nil {
		return
	}
	t, ok := p.view.Truth()
	v.Text, v.Known = t.Argument, ok && len(t.Argument) > 0
}

func ringName(a *about, v *Value, _ *Plugin) {
	v.Text, v.Known = []byte(a.ring[strings.LastIndexByte(a.ring, '/')+1:]), a.ring != ""
}

func lost(a *about, v *Value, _ *Plugin) { v.Number, v.Known = a.lost, a.lost > 0 }
