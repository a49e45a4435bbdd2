package sys

import "golang.org/x/sys/unix"

// saRestart is SA_RESTART of asm-generic/signal-defs.h.
const saRestart = 0x10000000

// Interrupting makes a signal, for which the Go runtime has a handler by now
// (signal.Notify), end a blocking system call with EINTR: the runtime's handlers
// let calls go on.
func Interrupting(sig unix.Signal) error {
	var sa sigaction
	if err := rtSigaction(sig, nil, &sa); err != nil {
		return err
	}
	sa.flags &^= saRestart
	return rtSigaction(sig, &sa, nil)
}
