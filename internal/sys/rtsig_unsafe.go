package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// saNoCldStop is SA_NOCLDSTOP of asm-generic/signal-defs.h.
const saNoCldStop = 1

// sigaction is struct sigaction of the kernel (not that of libc) as both
// amd64 and arm64 have it: include/linux/signal_types.h.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// QuietChildStops asks the kernel to send no SIGCHLD for a child or tracee
// that merely stops, and keeps the handler that is installed. With a handler
// and without this every ptrace stop delivers a signal, which costs more than
// the work that the stop is for. It returns an error if the kernel did not
// take the flag.
//
// A later signal.Notify for SIGCHLD undoes it.
func QuietChildStops() error {
	var sa, now sigaction
	if err := rtSigaction(unix.SIGCHLD, nil, &sa); err != nil {
		return err
	}
	sa.flags |= saNoCldStop
	if err := rtSigaction(unix.SIGCHLD, &sa, nil); err != nil {
		return err
	}
	if err := rtSigaction(unix.SIGCHLD, nil, &now); err != nil {
		return err
	}
	if now.flags&saNoCldStop == 0 || now.handler != sa.handler {
		return fmt.Errorf("rt_sigaction: SA_NOCLDSTOP was not kept: flags %#x", now.flags)
	}
	return nil
}

func rtSigaction(sig unix.Signal, act, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(act.mask), 0, 0)
	if errno != 0 {
		return fmt.Errorf("rt_sigaction: %w", errno)
	}
	return nil
}
