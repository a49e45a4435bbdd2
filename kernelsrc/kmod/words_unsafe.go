package kmod

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in the page of a ring that are the same in all modules (struct
// ppm_ring_buffer_info of driver/ppm_ringbuffer.h): u32 head and tail, then u64
// counters.
const (
	offHead = 0
	offTail = 4
	offEvts = 8
	offFull = 16
)

func (r *ring) words(c counters) {
	u32 := func(off int) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&r.page[off])) }
	u64 := func(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&r.page[off])) }
	r.head, r.tail = u32(offHead), u32(offTail)
	r.evts, r.full, r.memory, r.nested = u64(offEvts), u64(offFull), u64(c.memory), u64(c.nested)
}

// ioctlPointer makes a request whose argument points at a u64.
func ioctlPointer(fd int, request uint, to *uint64) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(to)))
	if errno != 0 {
		return errno
	}
	return nil
}
