package shm

import "github.com/pdig/pdig/syscalls"

// layout is one of the three descriptor pages. They differ in how many drop
// counters stand before the status block, and in nothing that tells which one
// it is but the size of the object.
type layout struct {
	name    string
	size    int64 // of the object, as udig creates it
	status  int   // where the status block begins
	faults  int   // where the page-fault drops stand
	ceiling int   // event codes below are known to every reader of this layout
}

var (
	layoutA = &layout{name: "A", size: 128, status: 48, faults: 24, ceiling: syscalls.CeilingA}
	layoutB = &layout{name: "B", size: 224, status: 144, faults: 120, ceiling: syscalls.CeilingB}
	layoutC = &layout{name: "C", size: 240, status: 160, faults: 136, ceiling: syscalls.CeilingC}
)

// layoutOf tells the layout by the size of the object. One of 128 bytes may be
// grown without harm, so every other size is layout A.
func layoutOf(size int64) *layout {
	switch size {
	case layoutB.size:
		return layoutB
	case layoutC.size:
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
	offConsumer    = 40 // the consumer's settings begin
	offSnaplen     = 40 // u32
	offRatio       = 44 // u32
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

// Offsets of the extension, in a page of layout A. Other programs never look
// there, and what a dead reader left stays: it counts only while consumer pid
// and start time are those of the capturing process.
const (
	offMagic        = 256 // u64
	offVersion      = 264 // u32
	offSize         = 268 // u32, of the extension
	offExtConsumer  = 272 // i32
	offExtCeiling   = 276 // u32
	offExtStart     = 280 // u64, start time of the consumer in clock ticks
	offExtProducer  = 288 // i32
	offExtFutex     = 292 // u32, 1 while the consumer sleeps
	offExtHeartbeat = 296 // u64, ns since the Unix epoch
	offExtPublished = 304 // u64, records published
	offExtLost      = 312 // 8 × u64, by event.Cause
	extMagic        = 0x7078656769647067
	extVersion      = 1
	extSize         = 376 - offMagic
)

// ringSizeA is the size of the ring of layout A, a constant of both sides.
const ringSizeA = 8 << 20
