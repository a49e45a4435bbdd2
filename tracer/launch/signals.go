package launch

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// IgnoreSignals makes the tracer proof against what is sent to processes by
// name or by group: the command decides when it ends, and the tracer after it.
// It also stops the SIGCHLD for every ptrace stop, and returns an error if that
// did not work.
func IgnoreSignals() error {
	signal.Ignore(unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT,
		unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU,
		// Hard limits of the command hold for its tracer too, as a rule.
		unix.SIGXCPU, unix.SIGXFSZ,
		unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGSTKFLT, unix.SIGSYS)
	// A fault is answered by the runtime all the same.
	signal.Notify(make(chan os.Signal, 1), unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE)
	// The runtime leaves these, which C libraries use, as they are.
	return errors.Join(sys.Ignore(32), sys.Ignore(34), sys.QuietChildStops())
}

// errnoOf is the number of an error of golang.org/x/sys/unix.
func errnoOf(err error) unix.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}
