package tracer

import (
	"errors"
	"fmt"
	"os"
	"runtime"
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

// copied is the inode of what a thread of the test has as fd, by a copy.
func copied(t *testing.T, p *process, th *thread, fd int) uint64 {
	t.Helper()
	n, err := p.sockets.copyOf(th, fd)
	if err != nil {
		t.Errorf("descriptor %d of thread %d: %v", fd, th.tid, err)
		return 0
	}
	defer unix.Close(n)
	return inode(t, n)
}

// beside starts a thread, not the leader, that has done what it is to do and waits for
// its end.
func beside(do func() error) (tid int, end func() error) {
	started, ended := make(chan int), make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			tid, end := beside(do)
			started <- tid
			ended <- nil
			ended <- end()
			runtime.UnlockOSThread()
			return
		}
		err := do()
		started <- unix.Gettid()
		ended <- nil
		ended <- err
	}()
	tid = <-started
	return tid, func() error { <-ended; return <-ended }
}

// TestCopyWithoutRoom: the tracer has no descriptor left for a moment. That is no
// refusal.
func TestCopyWithoutRoom(t *testing.T) {
	needCopies(t)
	p := &process{pid: os.Getpid()}
	th := &thread{tid: p.pid, proc: p}
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
		_, err := p.sockets.copyOf(th, fd)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if p.sockets.refused || !errors.Is(err, unix.EMFILE) {
			t.Errorf("%s: error %v, want EMFILE; refused for good: %v", when, err, p.sockets.refused)
		}
		if got := copied(t, p, th, fd); got != inode(t, fd) {
			t.Errorf("%s: inode %d, want %d", when, got, inode(t, fd))
		}
	}
}

// TestCopyOfThread: threads share a table, have one of their own, and end; what is
// copied is what the thread that is asked for has.
func TestCopyOfThread(t *testing.T) {
	needCopies(t)
	if fd, err := unix.PidfdOpen(os.Getpid(), pidfdThread); err != nil {
		t.Skip("no pidfd of a thread, before Linux 6.9: ", err)
	} else {
		unix.Close(fd)
	}
	const alone = 900 // a number that is not in use
	p := &process{pid: os.Getpid(), threads: 2}
	leader := &thread{tid: p.pid, proc: p}
	t.Cleanup(p.sockets.close)
	fd, other := socketOfTest(t), socketOfTest(t)
	mine, its := inode(t, fd), inode(t, other)
	check := func(th *thread, want uint64) {
		t.Helper()
		if got := copied(t, p, th, fd); got != want {
			t.Errorf("thread %d: inode %d, want %d", th.tid, got, want)
		}
	}

	tid, end := beside(func() error { return nil })
	th := &thread{tid: tid, proc: p}
	check(th, mine)
	if p.sockets.tid != p.pid || th.table != p.sockets.opened {
		t.Error("that they share a table is not known")
	}
	if n := testing.AllocsPerRun(10, func() {
		n, _ := p.sockets.copyOf(th, fd)
		unix.Close(n)
	}); n != 0 {
		t.Errorf("%v allocations for a copy", n)
	}
	if err := end(); err != nil {
		t.Error(err)
	}

	p.sockets.split = true // as of a call
	tid, end = beside(func() error { return nil })
	th = &thread{tid: tid, proc: p}
	if check(th, mine); th.table != 0 {
		t.Error("that they share a table is kept, though that may change")
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	tid, end = beside(func() error {
		if err := unix.Unshare(unix.CLONE_FILES); err != nil {
			return err
		}
		return errors.Join(unix.Dup3(other, fd, unix.O_CLOEXEC), unix.Dup3(other, alone, unix.O_CLOEXEC), unix.Close(other))
	})
	th = &thread{tid: tid, proc: p}
	for range 2 {
		check(th, its)
		check(leader, mine)
	}
	check(th, its)
	if n, err := p.sockets.copyOf(th, other); !errors.Is(err, unix.EBADF) {
		t.Errorf("a descriptor that it has closed: %d, %v, want EBADF", n, err)
	}
	if p.sockets.tid != tid {
		t.Error("somebody else was asked")
	}
	check(leader, mine)
	th.table = p.sockets.opened // as if they had shared a table until now
	if got := copied(t, p, th, alone); got != its {
		t.Errorf("a descriptor that only the thread has: inode %d, want %d", got, its)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	for !errors.Is(unix.Tgkill(p.pid, tid, 0), unix.ESRCH) {
		runtime.Gosched()
	}
	check(leader, mine)
	// One whose number another one has now.
	tid, end = beside(func() error { return nil })
	if err := p.sockets.open(tid, pidfdThread); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	for !errors.Is(unix.Tgkill(p.pid, tid, 0), unix.ESRCH) {
		runtime.Gosched()
	}
	p.sockets.tid = p.pid
	check(leader, mine)
}

// TestRecallForNow: what /proc tells of a socket is kept where sockets may not be copied,
// since then every connect is looked at, and only there.
func TestRecallForNow(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	ino := inode(t, fd)
	p := &process{pid: os.Getpid()}
	th := &thread{tid: p.pid, proc: p}
	var e endpoints
	if !e.recall(th, fd) || family(e.local) != unix.AF_INET {
		t.Fatalf("local address %x", e.local)
	}
	if len(e.kept) != 0 {
		t.Error("it is kept")
	}
	e.kept = map[uint64]*recalled{ino: {local: 2}} // what is not so any more
	if e.recall(th, fd); family(e.local) != unix.AF_INET {
		t.Errorf("local address %x, which was kept", e.local)
	}
	p.sockets.refused = true
	if e.recall(th, fd); family(e.local) == unix.AF_INET {
		t.Error("what was kept is not used")
	}
	for i := range uint64(maxRecalled) {
		e.keep(ino+1+i, &recalled{local: 2})
	}
	if len(e.kept) > maxRecalled {
		t.Errorf("%d are kept", len(e.kept))
	}
	e.kept = nil
	if e.recall(th, fd); len(e.kept) != 1 || !e.kept[ino].listens {
		t.Error("it is not kept")
	}
}

// TestForgedLine: a unix socket whose name makes a line of the list for another socket
// does not make that one of them, nor gives its name to a unix socket.
func TestForgedLine(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	ino := inode(t, fd)
	name := fmt.Sprintf("@forged\n0: 2 0 0 1 1 %d /forged", ino)
	if err := unix.Bind(socketOfTest(t), &unix.SockaddrUnix{Name: name}); err != nil {
		t.Fatal(err)
	}
	if s := search(os.Getpid(), fd, ino); s != nil {
		t.Errorf("what is in no list yet: got %q", s.buf[0][:s.local])
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if s := search(os.Getpid(), fd, ino); s == nil || family(s.buf[0][:s.local]) != unix.AF_INET {
		t.Errorf("what is bound: got %+v", s)
	}
	local := socketOfTest(t)
	if err := unix.Bind(local, &unix.SockaddrUnix{Name: "@of its own " + name[len("@forged\n"):]}); err != nil {
		t.Fatal(err)
	}
	if s := search(os.Getpid(), local, inode(t, local)); s == nil || family(s.buf[0][:s.local]) != unix.AF_UNIX {
		t.Errorf("a unix socket: got %+v", s)
	}
	name = fmt.Sprintf("@forged\n0: 2 0 0 1 1 %d /forged", inode(t, local))
	if err := unix.Bind(socketOfTest(t), &unix.SockaddrUnix{Name: name}); err != nil {
		t.Fatal(err)
	}
	if s := search(os.Getpid(), local, inode(t, local)); s == nil || s.local != 0 {
		t.Errorf("a unix socket with another line: got %+v", s)
	}
}
