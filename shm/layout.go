package shm

import "github.com/pdig/pdig/syscalls"

// layout is one of the three descriptor pages. They differ in how many drop
// counters stand before the status block, and in nothing that tells which one
// it is but the size of the object.
type layout struct {
	name    string
	size    int64 // of the object, as udig creates it
	create  int64 // of the object, as this package creates it
	faults  int   // offset of the page-fault drops
	status  int   // offset of the status block
	ceiling int   // event codes below are known to every reader of this layout
}

var (
	layoutA = &layout{name: "A", size: 128, create: pageSize, faults: 24, status: 48, ceiling: syscalls.CeilingA}
	layoutB = &layout{name: "B", size: 224, create: 224, faults: 120, status: 144, ceiling: syscalls.CeilingB}
	layoutC = &layout{name: "C", size: 240, create: 240, faults: 136, status: 160, ceiling: syscalls.CeilingC}
)

// layoutOf tells the layout by the size of the object. One of layout A may be
// longer, because its readers look at nothing behind their own part.
func layoutOf(size int64) *layout {
	switch size {
	case layoutB.size:
		return layoutB
	case layoutC.size:
		return layoutC
	}
	return layoutA
}

// layoutFor is what to create: readers of layout A know one size of ring only,
// and a reader whose event codes end higher than theirs has another layout.
func layoutFor(ringSize int64, ceiling int) *layout {
	switch {
	case ceiling == syscalls.CeilingB:
		return layoutB
	case ceiling == syscalls.CeilingC, ringSize != ringSizeA:
		return layoutC
	}
	return layoutA
}

// Offsets of struct ppm_ring_buffer_info, the same in all layouts.
const (
	offHead  = 0  // u32, the producer's
	offTail  = 4  // u32, the consumer's
	offEvts  = 8  // u64, records tried
	offDrops = 16 // u64, of these lost because the ring was full
)

// Offsets in the status block: struct udig_ring_buffer_status and behind it
// struct udig_consumer_t.
const (
	offLock        = 0  // u64, free for use among producers
	offInitialized = 8  // i32
	offCapturing   = 12 // i32, pid of the consumer
	offStopped     = 16 // i32
	offLastPrint   = 24 // timespec
	offSettings    = 40 // the consumer's settings begin
	offSnaplen     = 40 // u32, bytes of data wanted of a call
	offRatio       = 44 // u32, of sampling
	offStatsdPort  = 76 // u16
	statusSize     = 80
)

// Values that a consumer of layout A begins with.
const (
	defaultSnaplen = 80
	statsdPort     = 8125
)

// pageSize is how much of the descriptor object everybody maps. Bytes behind
// the end of the file are memory that all share, up to the end of the page.
const pageSize = 4096

// Offsets of the extension. Other programs never look there, and what a dead
// reader left stays: it counts only while the consumer's pid and start time are
// those of the capturing process. The start time is written last and cleared
// first; 0 means that there is no extension.
const (
	offMagic     = 256 // u64
	offVersion   = 264 // u32
	offExtSize   = 268 // u32, of the extension
	offConsumed  = 272 // i32, pid of the consumer
	offCeiling   = 276 // u32, number of event codes that the consumer knows
	offStart     = 280 // u64, start time of the consumer in clock ticks since boot
	offProducer  = 288 // i32, pid of the producer that came first of those that live
	offFutex     = 292 // u32, see the bits below
	offHeartbeat = 296 // u64, a producer's last sign of life, ns since the Unix epoch
	offPublished = 304 // u64, records put into the ring
	offLost      = 312 // extLost × u64, by event.Cause
	extLost      = 8
	offWants     = offLost + 8*extLost // u32, see the bits below; 0 where the extension is shorter
	offContainer = offWants + 8        // text of that producer, up to a NUL
	offCommand   = offContainer + 128  // likewise
	offExtEnd    = offCommand + 512
	extMagic     = 0x7078656769647067
	extVersion   = 1
	extLeast     = offWants - offMagic     // of a reader that wants nothing more
	extTruth     = offContainer - offMagic // of one that may want the truth
	extSize      = offExtEnd - offMagic
)

// Bits of the extension's word of wishes.
const wantsTruth = 1 << 0 // records of the truth behind those of the events

// Bits of the extension's futex word.
const (
	asleep     = 1 << 0 // the consumer sleeps on the word itself until there is a record
	roomWanted = 1 << 1 // a producer sleeps on the tail
	resting    = 1 << 2 // the consumer sleeps on the word itself, for a moment or until the ring fills
)

// ringSizeA is the size of the ring of layout A, a constant of both sides.
const ringSizeA = 8 << 20

// maxRing bounds the size of other rings.
const maxRing = 1 << 30
