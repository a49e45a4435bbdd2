// Package source says what the sensor needs of an event producer, whether that
// is a ring in shared memory, a driver in the kernel or a capture file.
//
// Records are as in package event: borrowed, in host byte order and not to be
// trusted.
package source

import (
	"fmt"
	"os"

	"github.com/pdig/pdig/event"
)

// ErrAsked is os.ErrDeadlineExceeded of a source behind which somebody waits until all
// that came out of it has been written.
var ErrAsked = fmt.Errorf("asked for what there is: %w", os.ErrDeadlineExceeded)

// Source is what the sensor needs of an event producer. It is used from one
// goroutine.
type Source interface {
	// Next returns the oldest unread record, valid until the following call.
	// os.ErrDeadlineExceeded means quiet, try again, which may be [ErrAsked];
	// io.EOF means no more.
	Next() ([]byte, error)
	// Stats counts from the beginning of the source.
	Stats() event.Stats
	// Close releases the source and tells the producer that nobody reads.
	Close() error
}
