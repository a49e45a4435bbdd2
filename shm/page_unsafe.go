package shm

import (
	"sync/atomic"
	"unsafe"
)

// page is a mapped descriptor page. The accessors give words that other
// processes change; offsets are multiples of the width.
type page struct {
	b      []byte
	layout *layout
}

func (p *page) u32(off int) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&p.b[off])) }

func (p *page) u64(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&p.b[off])) }

// status gives a word of the status block.
func (p *page) status(off int) *atomic.Uint32 { return p.u32(p.layout.status + off) }

func (p *page) lock() *atomic.Uint64 { return p.u64(p.layout.status + offLock) }
