package modern

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/cilium/ebpf"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc"
)

// A ring of the kernel (kernel/bpf/ringbuf.c): a page with the position of the reader,
// one with that of the writers, then the data, twice in a row. Before each
// record stands its length, u32 with two flags, and another u32.
const (
	busyBit    = 1 << 31
	discardBit = 1 << 30
	prefix     = 8
)

// ring is one of them. It implements [source.Ring].
type ring struct {
	size       uint64
	consumer   []byte
	producer   []byte // and the data
	tail, head *atomic.Uint64
	at         uint64 // position of what Peek looks at
	ready      uint64 // position up to which was looked
	rec        []byte // the record of Peek, with its time changed
	time       uint64 // that it had: ns of the clock of the probe
	step       uint64 // how far Take goes
	epoch      *int64 // of that clock, ns since the Unix epoch: the same for all rings
	bad        uint64
}

func newRing(m *ebpf.Map, epoch *int64) (_ *ring, err error) {
	page := os.Getpagesize()
	r := &ring{size: uint64(m.MaxEntries()), epoch: epoch}
	if r.consumer, err = unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("mapping a ring: %w", err)
	}
	if r.producer, err = unix.Mmap(m.FD(), int64(page), page+2*int(r.size), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, errors.Join(fmt.Errorf("mapping a ring: %w", err), unix.Munmap(r.consumer))
	}
	r.tail, r.head = word64(r.consumer), word64(r.producer)
	return r, nil
}

// Load implements [source.Ring].
func (r *ring) Load() {
	r.tail.Store(r.at)
	r.ready = r.head.Load()
}

// Peek implements [source.Ring].
func (r *ring) Peek() []byte {
	for r.step == 0 && r.at < r.ready {
		b := r.producer[uint64(os.Getpagesize())+r.at&(r.size-1):]
		n := word32(b).Load()
		if n&busyBit != 0 {
			return nil // it is being written
		}
		size := uint64(n &^ discardBit)
		if size > r.size-prefix || r.at+size+prefix > r.ready {
			r.bad++
			r.at = r.ready
			return nil
		}
		step := (size + prefix + 7) &^ 7
		if n&discardBit != 0 || size < headSize {
			r.bad += uint64(1 - n>>30&1)
			r.at += step
			continue
		}
		r.rec = append(r.rec[:0], b[prefix:prefix+size]...)
		r.time, r.step = event.Time(r.rec), step
	}
	if r.step == 0 {
		return nil
	}
	binary.NativeEndian.PutUint64(r.rec, r.time+uint64(*r.epoch)) // of this look, if it has waited
	return r.rec
}

// CPU implements [source.Ring].
func (r *ring) CPU() uint16 { return binary.NativeEndian.Uint16(r.rec[offCPU:]) }

// Take implements [source.Ring].
func (r *ring) Take() {
	r.at += r.step
	r.step = 0
	if r.at-r.tail.Load() > r.size/kernelsrc.FreeEvery {
		r.tail.Store(r.at)
	}
}

func (r *ring) close() error {
	return errors.Join(unix.Munmap(r.consumer), unix.Munmap(r.producer))
}

// epoch is when the monotonic clock, which the probe reads, was zero, or somewhat later
// if this thread was held up: too early a time would let a record overtake those which
// the look at the rings has not seen yet.
func epoch() int64 {
	var mono, real unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono)
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &real)
	return real.Nano() - mono.Nano()
}
