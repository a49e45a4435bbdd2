package tracer

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// waiter is the environment of the program that TestNudge traces: how long it
// waits, in milliseconds.
const waiter = "PDIG_TEST_WAITER"

// TestMain makes the test binary that program, if it is asked to be.
func TestMain(m *testing.M) {
	if timeout, err := strconv.Atoi(os.Getenv(waiter)); err == nil {
		wait(timeout)
		return
	}
	os.Exit(m.Run())
}

// muchZero is as much of /dev/zero as takes a while to read. A signal ends that early.
const muchZero = 32 << 20

// wait says which thread it is in and, when it may go on, waits twice for what
// does not come, and says how that ended. With a timeout of 0 it has the kernel work.
func wait(timeout int) {
	runtime.LockOSThread()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		fmt.Println("wait:", err)
		return
	}
	fmt.Printf("thread %d\n", unix.Gettid())
	var b [1]byte
	_, _ = os.Stdin.Read(b[:])
	if timeout == 0 {
		fd, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
		if err != nil {
			fmt.Println("wait:", err)
			return
		}
		n, err := unix.Read(fd, make([]byte, muchZero))
		fmt.Println("wait", n == muchZero, err)
		return
	}
	for range 2 {
		n, err := unix.EpollWait(ep, make([]unix.EpollEvent, 1), timeout)
		fmt.Println("wait", n, err)
	}
}

// TestNudge: a thread waits as if there had been no interrupt of ours, one that
// comes when it stands at the entry of the call, or waits already.
func TestNudge(t *testing.T) {
	const twice = "wait 0 <nil>\nwait 0 <nil>\n"
	t.Run("entry", func(t *testing.T) { testNudge(t, 20, nudgeAtEntry, twice) })
	t.Run("inside", func(t *testing.T) { testNudge(t, 1000, nudgeInside, twice) })
	t.Run("at work", func(t *testing.T) { testNudge(t, 0, nudgeAtWork, "wait true <nil>\n") })
}

func testNudge(t *testing.T, timeout int, nudge func(*nudged) error, want string) {
	cmd := exec.Command(os.Args[0])
	// The runtime of that program sends itself no signals then.
	cmd.Env = append(os.Environ(), waiter+"="+strconv.Itoa(timeout), "GODEBUG=asyncpreemptoff=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	var tid int
	for lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "thread %d", &tid); n == 1 {
			break
		}
	}
	traced := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // to the end of the thread, which lets go of the other
		n := nudged{tid: tid, timeout: timeout}
		traced <- n.trace(func() { stdin.Close() }, nudge)
	}()
	var got []string
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, "wait") {
			got = append(got, line)
		}
	}
	if err := <-traced; err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "\n")+"\n" != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// nudged is a thread that is traced, let go of and interrupted then.
type nudged struct {
	*Tracer
	tid, timeout int
	status       uint32
}

// trace traces the thread up to the entry of its epoll_wait, which is left to
// nudge, and to its end.
func (n *nudged) trace(goOn func(), nudge func(*nudged) error) error {
	all, err := Select("all")
	if err != nil {
		return err
	}
	n.Tracer = newTracer(Config{Calls: all, Sink: &sink{ceiling: syscalls.CeilingNewest}})
	n.attached, n.every, n.onward = true, true, unix.PTRACE_SYSCALL
	if errno := sys.Ptrace(unix.PTRACE_SEIZE, n.tid, 0, optionsAll); errno != 0 {
		return fmt.Errorf("seize: %w", errno)
	}
	var st procStatus
	st.read(n.tid, &n.proc)
	n.took(n.tid, &st, false)
	goOn()
	for n.next() {
		if !n.parting && signalOf(n.status) == callStop && n.read(n.thread()) && n.in.Op == sys.SyscallEntry && n.waits() {
			if err := nudge(n); err != nil {
				return err
			}
			continue
		}
		n.stopped(n.tid, n.status)
	}
	return nil
}

// waits reports whether the call in n.in is what the program waits in.
func (n *nudged) waits() bool {
	if n.timeout == 0 {
		return n.in.Words[0] == unix.SYS_READ && n.in.Words[3] == muchZero
	}
	return n.in.Words[3] == 1 && int(n.in.Words[4]) == n.timeout
}

func (n *nudged) thread() *thread { return n.table.get(n.tid) }

// next waits for a stop. It returns false when the thread has ended.
func (n *nudged) next() bool {
	_, errno := sys.WaitFor(n.tid, &n.status, 0)
	return errno == 0 && unix.WaitStatus(n.status).Stopped()
}

func (n *nudged) disturb() {
	n.parting, n.onward = true, unix.PTRACE_CONT
	n.thread().seized = true
	_ = sys.Ptrace(unix.PTRACE_INTERRUPT, n.tid, 0, 0)
}

func nudgeAtEntry(n *nudged) error {
	n.disturb()
	n.stopped(n.tid, n.status)
	return nil
}

// nudgeInside looks too that the call is not told of as one that has ended.
func nudgeInside(n *nudged) error {
	n.stopped(n.tid, n.status)
	for !n.inState(n.tid, 'S') {
		runtime.Gosched()
	}
	n.disturb()
	if !n.next() || signalOf(n.status) != callStop || !n.read(n.thread()) || int64(n.in.Words[0]) != -int64(unix.EINTR) {
		return fmt.Errorf("it has not been interrupted: status %#x, result %d", n.status, int64(n.in.Words[0]))
	}
	n.stopped(n.tid, n.status)
	if th := n.thread(); len(th.interrupted) != 1 {
		return fmt.Errorf("the call has ended with %d", th.call.ret)
	}
	return nil
}

// nudgeAtWork has the kernel busy for the thread, which is let go of.
func nudgeAtWork(n *nudged) error {
	n.stopped(n.tid, n.status)
	for n.inState(n.tid, 'S') {
		runtime.Gosched()
	}
	n.parting, n.onward = true, unix.PTRACE_CONT
	n.nudge()
	return nil
}
