package sys

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxFutexes is how many words one thread can wait for: FUTEX_WAITV_MAX.
const MaxFutexes = 128

// Futexes are words in memory that several processes share and the collector does not
// move, to wait for all at once.
type Futexes struct {
	n     int
	first *atomic.Uint32
	words [MaxFutexes]futexWaitv
}

// futexWaitv is struct futex_waitv of the kernel, since 5.16.
type futexWaitv struct {
	value   uint64
	address uint64
	flags   uint32
	_       uint32
}

const futex32 = 2 // FUTEX_32: the word has 32 bits; shared, without FUTEX_PRIVATE_FLAG

// Add adds a word that is waited for as long as it holds a value. What is more than
// [MaxFutexes] is left out.
func (f *Futexes) Add(word *atomic.Uint32, value uint32) {
	if f.n == MaxFutexes {
		return
	}
	if f.n == 0 {
		f.first = word
	}
	f.words[f.n] = futexWaitv{value: uint64(value), address: uint64(uintptr(unsafe.Pointer(word))), flags: futex32}
	f.n++
}

// Wait sleeps until somebody wakes one of the words, one does not hold its value, or
// the time is over. It may return early, and is false, at once, where the kernel cannot
// wait for several, as those before 5.16, or is not let.
// Preconditions: there are words.
func (f *Futexes) Wait(timeout time.Duration) bool {
	if f.n == 1 {
		FutexWait(f.first, uint32(f.words[0].value), timeout)
		return true
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return false
	}
	until := unix.NsecToTimespec(now.Nano() + int64(timeout))
	_, _, errno := syscall.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(&f.words)), uintptr(f.n), 0, uintptr(unsafe.Pointer(&until)), unix.CLOCK_MONOTONIC, 0)
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR, unix.ETIMEDOUT:
		return true
	}
	return false
}
