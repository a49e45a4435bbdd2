package fields

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/state"
)

// Event is an event with what is known when it has been applied to the state.
type Event struct {
	Num   uint64 // place in its source, from 1
	CPU   uint16
	First uint64 // time of the first event
	Clock Clock
	View  *event.View
	State *state.Table

	printer event.Printer
	shown   uint64 // time of the event that was shown last
	buf     []byte // of one text
}

// newest reports whether the newest Falco is to be followed in what has changed
// since sysdig 0.29.3.
func (e *Event) newest() bool { return e.View.Style == event.Newest }

// Next makes e, whose View is a new one, the next event of its source.
func (e *Event) Next() { e.Num++ }

// Begin makes the event the first of those that times count from, unless there
// was one.
func (e *Event) Begin() {
	if e.First == 0 {
		e.First = e.View.Time()
	}
}
