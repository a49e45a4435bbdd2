package launch

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// A Go runtime that lacks memory, threads or descriptors prints pages of its
// state on descriptor 2. Until the process is let go nobody needs them, since
// that says in a line that its tracer has ended. So the entry has put aside the
// descriptor, and what stands in its place takes no writes.

// stderrFD is the standard error that the process was started with.
const stderrFD = 2

// Stderr writes to the standard error that the process was started with,
// whether descriptor 2 is mute or not.
func (o *Original) Stderr() io.Writer { return (*stderr)(o.mem) }

// Unmute gives descriptor 2 back. [Original.Run] does it; deferred, it lets a
// panic before that be seen.
func (o *Original) Unmute() {
	fd := int(o.mem.stderr)
	if fd == 0 {
		return // done, or it was closed, or there was no other descriptor free
	}
	o.mem.stderr = 0
	_ = unix.Dup3(fd, stderrFD, 0) // no reason not to start the command
	unix.Close(fd)
}

type stderr memory

// Write writes all of p. Who has given us the descriptor may have made it one
// that does not block.
func (s *stderr) Write(p []byte) (n int, err error) {
	fd := stderrFD
	if s.stderr != 0 {
		fd = int(s.stderr)
	}
	for n < len(p) {
		m, err := unix.Write(fd, p[n:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		case err != nil && !errors.Is(err, unix.EINTR):
			return n, err
		case m > 0:
			n += m
		}
	}
	return n, nil
}

// StderrDescriptor is the descriptor that [Original.Stderr] writes to, as long as
// nobody calls [Original.Unmute].
func (o *Original) StderrDescriptor() int {
	if o.mem.stderr != 0 {
		return int(o.mem.stderr)
	}
	return stderrFD
}
