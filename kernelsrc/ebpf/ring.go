package ebpf

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc"
)

// Records of a perf ring: u32 type, u16 misc, u16 size, and for a sample u32 size
// of what follows, with padding.
const (
	recordHeader = 8
	sampleHeader = recordHeader + 4
	recordSample = 9
)

// ring is that of one CPU. It implements [source.Ring].
type ring struct {
	d      *Driver
	fd     int
	cpu    int
	opened uint64 // when, ns since the Unix epoch
	all    []byte // the mapping
	b      []byte // the data of it

	head, tail *atomic.Uint64

	samples uint64 // that were read

	at, end uint64 // what has been loaded: positions that only grow
	freed   uint64 // the tail that the kernel knows
	size    uint64 // of the record that Peek has returned, with its header
	rec     []byte
	wrapped []byte // room for one that wraps
}

func newRing(d *Driver, fd, cpu int, all []byte, header int) *ring {
	r := &ring{d: d, fd: fd, cpu: cpu, all: all, b: all[header:]}
	r.words()
	r.at = r.tail.Load()
	r.freed, r.end = r.at, r.at
	return r
}

// Load implements [source.Ring].
func (r *ring) Load() {
	r.free()
	head := r.head.Load()
	if head-r.at > uint64(len(r.b)) {
		r.d.bad.Corrupt++
		r.at = head
	}
	r.end = head
}

// free gives the room of what was taken back to the kernel.
func (r *ring) free() {
	if r.freed != r.at {
		r.freed = r.at
		r.tail.Store(r.at)
	}
}

// Peek implements [source.Ring]. The slice is of the ring, or a copy if it wraps.
func (r *ring) Peek() []byte {
	for r.rec == nil && r.at != r.end {
		ready := r.end - r.at
		var head [sampleHeader]byte
		r.copy(head[:min(ready, sampleHeader)], r.at)
		size := uint64(binary.NativeEndian.Uint16(head[6:]))
		if size < recordHeader || size > ready {
			r.d.bad.Corrupt++
			r.at = r.end
			return nil
		}
		if binary.NativeEndian.Uint32(head[:]) == recordSample {
			r.samples++
			r.sample(size, uint64(binary.NativeEndian.Uint32(head[recordHeader:])))
		}
		if r.rec == nil {
			r.at += size // the counters of the probe have what records of losses tell
		}
		r.size = size
	}
	return r.rec
}

// sample finds the event in a sample.
func (r *ring) sample(size, raw uint64) {
	if size < sampleHeader || raw > size-sampleHeader {
		r.d.bad.Corrupt++
		return
	}
	rec, ok := event.Cut(r.slice(r.at+sampleHeader, raw))
	switch {
	case !ok || rec == nil:
		r.d.bad.Corrupt++
		return
	case r.d.bad.Is(rec):
		return
	}
	if event.Type(rec) == kernelsrc.TypeHotplug {
		r.d.hasCome(rec)
	}
	r.rec = rec
}

// hasCome notes the CPU of which a record tells, the first parameter: unless it
// has got a ring since.
func (d *Driver) hasCome(rec []byte) {
	var v event.View
	if v.Parse(rec) != nil {
		return
	}
	cpu, ok := v.Uint(0)
	if !ok || cpu >= kernelsrc.MaxCPUs || slices.Contains(d.came, int(cpu)) {
		return
	}
	for _, r := range d.rings {
		if r.cpu == int(cpu) && r.opened >= v.Time() {
			return
		}
	}
	d.came = append(d.came, int(cpu))
}

// slice is a part of the ring, copied only if it wraps.
func (r *ring) slice(at, n uint64) []byte {
	mask := uint64(len(r.b) - 1)
	if at&mask+n <= uint64(len(r.b)) {
		return r.b[at&mask : at&mask+n : at&mask+n]
	}
	if uint64(cap(r.wrapped)) < n {
		r.wrapped = make([]byte, max(n, 1<<16))
	}
	r.copy(r.wrapped[:n], at)
	return r.wrapped[:n]
}

func (r *ring) copy(to []byte, at uint64) {
	n := copy(to, r.b[at&uint64(len(r.b)-1):])
	copy(to[n:], r.b)
}

// CPU implements [source.Ring].
func (r *ring) CPU() uint16 { return uint16(r.cpu) }

// Take implements [source.Ring].
func (r *ring) Take() {
	if r.rec == nil {
		return
	}
	r.rec = nil
	r.at += r.size
	if r.at-r.freed > uint64(len(r.b))/kernelsrc.FreeEvery {
		r.free()
	}
}

func (r *ring) close() error {
	all := r.all
	r.all, r.b = nil, nil
	return errors.Join(unix.Munmap(all), unix.Close(r.fd))
}
