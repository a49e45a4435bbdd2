package launch

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStrayMessages: the socket has an address that anybody may send to; only
// the descriptor of the right process is taken, and no other is kept.
func TestStrayMessages(t *testing.T) {
	o := &Original{listener: listener{socket: -1}}
	if !o.openListener() {
		t.Fatal(o.listener.err)
	}
	defer unix.Close(o.listener.socket)
	address, err := unix.Getsockname(o.listener.socket)
	if err != nil {
		t.Fatal(err)
	}
	from, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(from)
	send := func(fds ...int) {
		t.Helper()
		if err := unix.Sendmsg(from, []byte("x"), unix.UnixRights(fds...), address, 0); err != nil {
			t.Fatal(err)
		}
	}
	before := len(openFDs(t))

	send(from)
	if fd, err := o.listener.receive(os.Getpid() + 1); err == nil {
		t.Errorf("took descriptor %d of another process", fd)
	}
	send(from, from)
	send(from)
	fd, err := o.listener.receive(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	unix.Close(fd)
	if after := len(openFDs(t)); after != before {
		t.Errorf("%d descriptors are open, before it were %d", after, before)
	}
	if _, err := o.listener.receive(os.Getpid()); err == nil {
		t.Error("took a descriptor from nowhere")
	}
}

func openFDs(t *testing.T) []os.DirEntry {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestOpenDescriptors compares the two ways to find them.
func TestOpenDescriptors(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], 0); err != nil { // without close-on-exec
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	listed := map[int]bool{}
	for _, fd := range openDescriptors() {
		listed[fd] = true
	}
	probed := 0
	for _, fd := range allDescriptors() {
		if inherited(fd) {
			probed++
			if !listed[fd] {
				t.Errorf("descriptor %d is not in /proc/self/fd", fd)
			}
		}
	}
	if probed != len(listed) || !listed[p[0]] || !listed[p[1]] {
		t.Errorf("found %d by number, %d in /proc/self/fd: %v", probed, len(listed), listed)
	}
}
