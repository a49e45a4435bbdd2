package sys

import "golang.org/x/sys/unix"

// DefaultAction gives a signal its default action, past the Go runtime, which
// would answer some of them itself.
func DefaultAction(sig unix.Signal) error {
	return rtSigaction(sig, &sigaction{}, nil)
}
