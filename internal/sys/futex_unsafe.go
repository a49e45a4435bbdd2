package sys

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// futexWakeShared is FUTEX_WAKE without FUTEX_PRIVATE_FLAG: the word is in
// memory that several processes share.
const futexWakeShared = 1

// FutexWake wakes at most n threads, of any process, that wait for word.
func FutexWake(word *atomic.Uint32, n int) {
	// The only errors are those of the arguments: EFAULT, EINVAL.
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakeShared, uintptr(n), 0, 0, 0)
}
