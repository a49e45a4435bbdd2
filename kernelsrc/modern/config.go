package modern

import (
	"github.com/rs/zerolog"

	"github.com/pdig/pdig/kernelsrc"
)

// Config says what is recorded, and how.
type Config struct {
	// Wants selects system calls.
	Wants kernelsrc.Wanted
	// RingSize is that of each ring, bytes: a power of two and of pages.
	RingSize int
	// CPUsPerRing is how many CPUs share a ring; 0: all.
	CPUsPerRing int
	// Snaplen is how many bytes of data are kept: 56 KiB at most, which is logged.
	Snaplen int
	// Ceiling is the number of event codes that the reader knows; 0: all.
	Ceiling int
	// Truth says that behind the record of a call there is what it has worked on, see
	// [event.Truth]: the path of the file that the kernel has opened or executed, the
	// address that it has connected or bound.
	Truth bool
	// Family says that only those processes are recorded that this one starts, and
	// those that come of them.
	Family bool
	Log    zerolog.Logger

	room   int // of the family, processes; 0: that of the object
	copies int // of the probe; 0: as many as the kernel needs
}
