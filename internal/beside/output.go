package beside

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Places that an output may be, besides a file.
const (
	Stdout = "stdout"
	Stderr = "stderr"
	Socket = "unix:" // and its path
)

// Output returns what opens the place where events go: [Stdout] or [Stderr], which are
// the descriptors given; [Socket] and the path of a stream socket that somebody listens
// on; or a file, to which they are appended. The error is that of a file. Whoever
// listens on a socket may come later.
func Output(place string, stdout, stderr int) (func() (*os.File, error), error) {
	switch {
	case place == Stdout:
		return duplicate(stdout, place)
	case place == Stderr:
		return duplicate(stderr, place)
	case strings.HasPrefix(place, Socket):
		path := strings.TrimPrefix(place, Socket)
		return func() (*os.File, error) { return Connect(path) }, nil
	}
	path, err := filepath.Abs(place) // the tracer leaves the directory
	if err != nil {
		return nil, err
	}
	open := func() (*os.File, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	return open, f.Close()
}

// duplicate keeps a descriptor that the tracer will let go of.
func duplicate(fd int, place string) (func() (*os.File, error), error) {
	kept, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	return func() (*os.File, error) {
		fd, err := unix.FcntlInt(uintptr(kept), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		return os.NewFile(uintptr(fd), place), nil
	}, nil
}

// Connect connects to a stream socket on which somebody listens.
func Connect(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", path, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}
