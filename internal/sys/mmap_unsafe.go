package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MapTwice maps size bytes of fd shared, readable and writable, twice in a
// row: byte i and byte size+i are the same. size is a multiple of the page.
// [UnmapTwice] undoes it.
func MapTwice(fd, size int) ([]byte, error) {
	base, err := unix.MmapPtr(-1, 0, nil, uintptr(2*size), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	for i := range 2 {
		at := unsafe.Add(base, i*size)
		if _, err := unix.MmapPtr(fd, 0, at, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			_ = unix.MunmapPtr(base, uintptr(2*size))
			return nil, fmt.Errorf("mmap: %w", err)
		}
	}
	return unsafe.Slice((*byte)(base), 2*size), nil
}

// UnmapTwice undoes [MapTwice].
func UnmapTwice(b []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}
