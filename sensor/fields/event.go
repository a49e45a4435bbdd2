package fields

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/state"
)

// Event is an event with what is known when it has been applied to the state.
type Event struct {
	Num      uint64 // place in its source, from 1
	CPU      uint16
	First    uint64 // time of the first event
	Previous uint64 // time of the event before, 0 for none
	View     *event.View
	State    *state.Table

	printer event.Printer
	buf     []byte // of one text
}

// Next makes e, whose View is a new one, the next event of its source. The one
// before had the time previous.
func (e *Event) Next(previous uint64) {
	if e.Num == 0 {
		e.First = e.View.Time()
	} else {
		e.Previous = previous
	}
	e.Num++
}
