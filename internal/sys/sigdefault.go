package sys

import "golang.org/x/sys/unix"

// sigIgn is SIG_IGN.
const sigIgn = 1

// Ignore ignores a signal of which the Go runtime knows nothing.
func Ignore(sig unix.Signal) error {
	return rtSigaction(sig, &sigaction{handler: sigIgn}, nil)
}

// DefaultAction gives a signal its default action, past the Go runtime, which
// would answer some of them itself.
func DefaultAction(sig unix.Signal) error {
	return rtSigaction(sig, &sigaction{}, nil)
}
