// Package output writes events for people and programs: lines as sysdig 0.29.3
// prints them, JSON lines, or a stream of msgpack maps.
//
// Everything in an event but its number may have been chosen by the traced
// program: a line is always one line, JSON is always valid, and strings of
// msgpack are valid UTF-8.
package output

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// Event is what is shown of an event.
type Event struct {
	Num   uint64 // place in its source, from 1
	CPU   uint16
	Comm  string // name of the thread
	View  *event.View
	Names event.Names
	Info  []byte // what stands in the place of the parameters; nil: they do
}

// dir is > for the enter half of a call and for single events, else <.
func (e *Event) dir() byte {
	if syscalls.IsEnter(e.View.Type()) {
		return '>'
	}
	return '<'
}

// appendInfo appends the parameters, or what stands in their place.
func (e *Event) appendInfo(dst []byte, p *event.Printer) []byte {
	switch {
	case e.Info == nil:
		return p.AppendInfo(dst, e.View, e.Names)
	case p.Verbatim:
		return append(dst, e.Info...)
	}
	return event.AppendLine(dst, e.Info)
}

// mismatch is the truth of an event that does not say it.
func (e *Event) mismatch() (event.Truth, bool) {
	t, ok := e.View.Truth()
	return t, ok && t.Mismatch != 0
}

// Format appends an event to a stream. A Format is used from one goroutine.
type Format interface {
	Append(dst []byte, e *Event) []byte
}
