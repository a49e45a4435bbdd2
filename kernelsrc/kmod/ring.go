package kmod

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc"
)

// Types of records that this package looks at.
const (
	eventOldSwitch = 146
	eventSwitch    = 152
	eventSignal    = 232
)

// ring is that of one CPU. It implements [source.Ring].
type ring struct {
	d    *Driver
	dev  device
	cpu  int
	page []byte
	data []byte // the ring, twice in a row
	size int

	head, tail                 *atomic.Uint32
	evts, full, memory, nested *atomic.Uint64

	at    int    // position of what Peek looks at
	ready int    // bytes from there on that were loaded
	freed int    // the tail that the module knows
	rec   []byte // what Peek has returned
}

func (r *ring) mapAll(size int) (err error) {
	if r.page, err = r.dev.mapPage(); err != nil {
		return err
	}
	r.words(countersOf(r.d.api))
	r.data, err = r.dev.mapRing(size)
	r.size = size
	return err
}

// Load implements [source.Ring].
func (r *ring) Load() {
	r.free()
	head := int(r.head.Load())
	if head >= r.size {
		r.d.bad.Corrupt++
		return
	}
	if r.ready = head - r.at; r.ready < 0 {
		r.ready += r.size
	}
}

// empty reports whether all has been taken.
func (r *ring) empty() bool { return r.rec == nil && int(r.head.Load()) == r.at }

// free gives the room of what was taken back to the module.
func (r *ring) free() {
	if r.freed != r.at {
		r.freed = r.at
		r.tail.Store(uint32(r.at))
	}
}

// Peek implements [source.Ring]. The slice is of the ring itself.
func (r *ring) Peek() []byte {
	for r.rec == nil {
		rec, ok := event.Cut(r.data[r.at : r.at+r.ready])
		if !ok || rec == nil && r.ready > 0 {
			// The module publishes whole records only.
			r.d.bad.Corrupt++
			r.skip(r.ready)
			return nil
		}
		if rec == nil {
			return nil
		}
		if r.d.bad.Is(rec) {
			r.skip(len(rec))
			continue
		}
		if event.Type(rec) == kernelsrc.TypeHotplug && !r.d.has(hotplugged(rec)) {
			r.d.restart = true
		}
		r.rec = rec
	}
	return r.rec
}

// hotplugged is the CPU that has come or gone: the first parameter, behind the
// lengths of both. -1: it is not told.
func hotplugged(rec []byte) int {
	const at = event.HeaderSize + 2*2
	if len(rec) < at+4 {
		return -1
	}
	return int(binary.NativeEndian.Uint32(rec[at:]))
}

// CPU implements [source.Ring].
func (r *ring) CPU() uint16 { return uint16(r.cpu) }

// Take implements [source.Ring].
func (r *ring) Take() {
	r.skip(len(r.rec))
	r.rec = nil
	taken := r.at - r.freed
	if taken < 0 {
		taken += r.size
	}
	if taken > r.size/kernelsrc.FreeEvery {
		r.free()
	}
}

func (r *ring) skip(n int) {
	r.ready -= n
	if r.at += n; r.at >= r.size {
		r.at -= r.size
	}
}

func (r *ring) tally() tally {
	if r.page == nil {
		return tally{} // it could not be mapped
	}
	return tally{seen: r.evts.Load(), full: r.full.Load(), memory: r.memory.Load(), nested: r.nested.Load()}
}

func (r *ring) close() error {
	var errs []error
	for _, b := range [][]byte{r.data, r.page} {
		if b != nil {
			errs = append(errs, unix.Munmap(b))
		}
	}
	r.page, r.data = nil, nil
	return errors.Join(append(errs, r.dev.close())...)
}
