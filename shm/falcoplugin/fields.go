package falcoplugin

import (
	"strings"

	"github.com/pdig/pdig/event"
)

// Field is one of those that the host asks us for.
type Field struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Display string `json:"display"`
	Desc    string `json:"desc"`

	get func(*about, *event.Truth, *Value)
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
	{Type: "string", Name: "pdig.mismatch", Display: "Mismatch", Desc: "what the kernel has not done as the event says: argument, object, memory, with commas between them; missing where it has", get: mismatch},
	{Type: "string", Name: "pdig.argument", Display: "Argument afterwards", Desc: "the argument as it was when the call had ended, if that is another one", get: argument},
	{Type: "string", Name: "pdig.ring", Display: "Ring", Desc: "name of the ring that the event was read from, without its directory: which tracer it is from where each has a ring of its own", get: ringName},
	{Type: "uint64", Name: "pdig.lost", Display: "Lost", Desc: "number of events that were lost before this one and after the one before; missing where there are none", get: lost},
	{Type: "string", Name: "pdig.container", Display: "Container", Desc: "container of the tracer that the event is from: the first 12 digits of its id or, where it cannot see them, the name of its host", get: container},
	{Type: "string", Name: "pdig.command", Display: "Command", Desc: "command that the tracer has started, or the processes that it was attached to", get: command},
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
	if i := p.owner(at); i != nil {
		i.field(at, &fields[id], &v)
	}
	return v
}

// owner is the instance in whose memory an address is.
func (p *Plugin) owner(at uintptr) *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.instances {
		if i.batch.holds(at) {
			return i
		}
	}
	return nil
}

// field waits for who counts meanwhile; nobody reads, since the host has the batch.
func (i *Instance) field(at uintptr, f *Field, v *Value) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return
	}
	a := i.batch.find(at)
	if a == nil {
		return
	}
	var t event.Truth
	if i.view.Parse(a.whole) == nil {
		t, _ = i.view.Truth()
	}
	f.get(a, &t, v)
}

func (v *Value) set(text []byte) { v.Text, v.Known = text, len(text) > 0 }

func object(_ *about, t *event.Truth, v *Value) { v.set(t.Object) }

func mismatch(_ *about, t *event.Truth, v *Value) { v.set([]byte(t.Mismatch.String())) }

func argument(_ *about, t *event.Truth, v *Value) { v.set(t.Argument) }

func ringName(a *about, _ *event.Truth, v *Value) {
	if a.from != nil {
		v.set([]byte(a.from.ring[strings.LastIndexByte(a.from.ring, '/')+1:]))
	}
}

func container(a *about, _ *event.Truth, v *Value) {
	if a.from != nil {
		v.set([]byte(a.from.tracer.Container))
	}
}

func command(a *about, _ *event.Truth, v *Value) {
	if a.from != nil {
		v.set([]byte(a.from.tracer.Command))
	}
}

func lost(a *about, _ *event.Truth, v *Value) { v.Number, v.Known = a.lost, a.lost > 0 }
