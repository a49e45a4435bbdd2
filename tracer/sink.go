package tracer

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
)

// Sink takes the finished records; [*shm.Producer] is one. No method may block
// on a peer for longer than was asked for.
type Sink interface {
	// Active reports whether somebody reads. It is asked at every stop.
	Active() bool
	// Write takes one record and reports whether it will be delivered. The
	// record may be reused afterwards.
	Write(rec []byte, class shm.Class) bool
	// Reader is another number for each reader that has to be told which threads
	// live, 0 for one that has not.
	Reader() uint32
	// ReaderPID is the process that reads, 0 if there is none or it cannot be seen.
	// It may be asked for by any goroutine.
	ReaderPID() int
	// Ceiling is the number of event codes that the reader knows.
	Ceiling() int
	// Truth reports whether the reader wants the truth behind the records, see
	// [event.Truth].
	Truth() bool
	// Snaplen is how many bytes of data the reader wants of a call.
	Snaplen() int
	// GiveUp has a Write that waits for a reader ask now and then whether to
	// wait no longer.
	GiveUp(when func() bool)
	// Count adds a record that was lost before the ring.
	Count(cause event.Cause)
	// Lost is how many records were lost on this side, by cause.
	Lost() [event.NumCauses]uint64
}
