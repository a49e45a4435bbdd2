package tracer

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// inode is that of the file behind a descriptor of the test.
func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Error(err)
	}
	return st.Ino
}

// socketOfTest returns a socket of the test.
func socketOfTest(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// needCopies skips a test where nothing can be copied.
func needCopies(t *testing.T) {
	t.Helper()
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Skip("no pidfd, before Linux 5.3: ", err)
	}
	defer unix.Close(self)
	n, err := unix.PidfdGetfd(self, self, 0)
	if err != nil {
		t.Skip("pidfd_getfd is refused, or before Linux 5.6: ", err)
	}
	unix.Close(n)
}

// copied is the inode of what the test has as fd, by a copy.
func copied(t *testing.T, p *process, fd int) uint64 {
	t.Helper()
	n, err := p.sockets.copyOf(p.pid, fd)
	if err != nil {
		t.Errorf("descriptor %d: %v", fd, err)
		return 0
	}
	defer unix.Close(n)
	return inode(t, n)
}

// TestCopyWithoutRoom: the tracer has no descriptor left for a moment. That is no
// refusal.
func TestCopyWithoutRoom(t *testing.T) {
	needCopies(t)
	p := &process{pid: os.Getpid()}
	t.Cleanup(p.sockets.close)
	fd := socketOfTest(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	for _, when := range []string{"before the first copy", "afterwards"} {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
			t.Fatal(err)
		}
		_, err := p.sockets.copyOf(p.pid, fd)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if p.sockets.refused || !errors.Is(err, unix.EMFILE) {
			t.Errorf("%s: error %v, want EMFILE; refused for good: %v", when, err, p.sockets.refused)
		}
		if got := copied(t, p, fd); got != inode(t, fd) {
			t.Errorf("%s: inode %d, want %d", when, got, inode(t, fd))
		}
	}
}
