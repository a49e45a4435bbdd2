package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// CPU is the processor that the calling thread runs on.
func CPU() (int, unix.Errno) {
	var cpu uint32
	_, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	return int(cpu), errno
}
