package ebpf

import (
	"sync/atomic"
	"unsafe"
)

// Offsets in the first page of a perf ring (struct perf_event_mmap_page of
// linux/perf_event.h).
const (
	offHead = 1024
	offTail = 1032
)

func (r *ring) words() {
	u64 := func(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&r.all[off])) }
	r.head, r.tail = u64(offHead), u64(offTail)
}
