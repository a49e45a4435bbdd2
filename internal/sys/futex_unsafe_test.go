package sys

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestFutexWake(t *testing.T) {
	var word atomic.Uint32
	done := make(chan unix.Errno)
	go func() {
		timeout := unix.NsecToTimespec(int64(10 * time.Second))
		for word.Load() == 0 {
			_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), 0, 0, uintptr(unsafe.Pointer(&timeout)), 0, 0)
			if errno == unix.ETIMEDOUT {
				done <- errno
				return
			}
		}
		done <- 0
	}()
	time.Sleep(50 * time.Millisecond) // long enough to fall asleep, as a rule
	word.Store(1)
	FutexWake(&word, 1)
	if errno := <-done; errno != 0 {
		t.Errorf("the waiter was not woken: %v", errno)
	}
}
