package tracer

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// address is where b begins in this process.
func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// unmap takes a part of a mapping away.
func unmap(b []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}
