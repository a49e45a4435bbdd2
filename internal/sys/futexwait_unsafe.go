package sys

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// futexWaitShared is FUTEX_WAIT without FUTEX_PRIVATE_FLAG.
const futexWaitShared = 0

// FutexWait sleeps until somebody wakes word, it does not hold value, or the
// time is over. It may return early.
func FutexWait(word *atomic.Uint32, value uint32, timeout time.Duration) {
	ts := unix.NsecToTimespec(int64(timeout))
	_, _, _ = syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitShared, uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, 0)
}
