package shm

import (
	"sync/atomic"
	"unsafe"
)

// page is a mapped descriptor page and the words of it that other processes
// change. All are within the mapping and aligned to their width.
type page struct {
	b      []byte
	layout *layout

	head, tail         *atomic.Uint32
	evts, full, faults *atomic.Uint64

	lock                     *atomic.Uint64
	initialized              *atomic.Uint32
	capturing, stopped       *atomic.Uint32
	snaplen, ratio           *atomic.Uint32
	magic, start             *atomic.Uint64
	version, extSize         *atomic.Uint32
	consumed, ceiling        *atomic.Uint32
	producer, futex          *atomic.Uint32
	heartbeat, published     *atomic.Uint64
	lost                     [extLost]*atomic.Uint64
	wants                    *atomic.Uint32
	lastPrint, settings, ext []byte
	statsd                   []byte
	container, command       []byte
}

func newPage(b []byte, l *layout) page {
	u32 := func(off int) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&b[off])) }
	u64 := func(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&b[off])) }
	p := page{
		b: b, layout: l,
		head: u32(offHead), tail: u32(offTail),
		evts: u64(offEvts), full: u64(offDrops), faults: u64(l.faults),
		lock:        u64(l.status + offLock),
		initialized: u32(l.status + offInitialized),
		capturing:   u32(l.status + offCapturing),
		stopped:     u32(l.status + offStopped),
		snaplen:     u32(l.status + offSnaplen),
		ratio:       u32(l.status + offRatio),
		magic:       u64(offMagic), version: u32(offVersion), extSize: u32(offExtSize),
		consumed: u32(offConsumed), ceiling: u32(offCeiling), start: u64(offStart),
		producer: u32(offProducer), futex: u32(offFutex),
		heartbeat: u64(offHeartbeat), published: u64(offPublished),
		wants:     u32(offWants),
		lastPrint: b[l.status+offLastPrint : l.status+offSettings],
		settings:  b[l.status+offSettings : l.status+statusSize],
		statsd:    b[l.status+offStatsdPort:][:2],
		ext:       b[offMagic:offExtEnd],
		container: b[offContainer:offCommand],
		command:   b[offCommand:offExtEnd],
	}
	for i := range p.lost {
		p.lost[i] = u64(offLost + 8*i)
	}
	return p
}

// contains reports whether an address is within the bytes of b.
func contains(b []byte, addr uintptr) bool {
	base := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return addr >= base && addr-base < uintptr(len(b))
}
