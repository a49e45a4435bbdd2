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
func QuietChildStops() error { return childStops(saNoCldStop) }

// TellChildStops undoes [QuietChildStops].
func TellChildStops() error { return childStops(0) }

// childStops sets SA_NOCLDSTOP of the handler of SIGCHLD, or clears it.
func childStops(flag uint64) error {
	var sa, now sigaction
	if err := rtSigaction(unix.SIGCHLD, nil, &sa); err != nil {
		return err
	}
	sa.flags = sa.flags&^saNoCldStop | flag
	if err := rtSigaction(unix.SIGCHLD, &sa, nil); err != nil {
		return err
	}
	if err := rtSigaction(unix.SIGCHLD, nil, &now); err != nil {
		return err
	}
	if now.flags&saNoCldStop != flag || now.handler != sa.handler {
		return fmt.Errorf("rt_sigaction: SA_NOCLDSTOP is not as asked for: flags %#x", now.flags)
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
