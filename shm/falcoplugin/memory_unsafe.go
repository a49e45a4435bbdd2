package falcoplugin

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newMemory is memory that the collector does not know, and the host may keep the
// addresses of.
func newMemory(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("%d bytes of memory for events: %w: give Falco more", size, err)
	}
	return b, nil
}

// address is that of the first byte of b, which may not be empty.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
