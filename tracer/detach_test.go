package tracer

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// waiter is the environment of the program that TestNudgeAtEntry traces.
const waiter = "PDIG_TEST_WAITER"

const waiterTime = 20 // ms

// TestWaiter is that program: it says which thread it is and, when it may go on,
// waits several times for what does not come, and says how that ended.
func TestWaiter(t *testing.T) {
	if os.Getenv(waiter) == "" {
		t.Skip("is run by TestNudgeAtEntry")
	}
	runtime.LockOSThread()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("thread %d\n", unix.Gettid())
	var b [1]byte
	_, _ = os.Stdin.Read(b[:])
	for range 5 {
		n, err := unix.EpollWait(ep, make([]unix.EpollEvent, 1), waiterTime)
		fmt.Println("wait", n, err)
	}
}

// TestNudgeAtEntry: a thread that has come to the entry of a call before our
// interrupt has, waits there as if there had been none.
func TestNudgeAtEntry(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestWaiter$", "-test.count=1")
	// The runtime of that program sends itself no signals then.
	cmd.Env = append(os.Environ(), waiter+"=1", "GODEBUG=asyncpreemptoff=1")
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
		traced <- nudgeAtEntry(tid, func() { stdin.Close() })
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
	if want := strings.Repeat("wait 0 <nil>\n", 5); strings.Join(got, "\n")+"\n" != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// nudgeAtEntry traces a thread up to the entry of an epoll_wait, and lets go of it
// after an interrupt that comes then.
func nudgeAtEntry(tid int, goOn func()) error {
	all, err := Select("all")
	if err != nil {
		return err
	}
	tr := newTracer(Config{Calls: all, Sink: &sink{ceiling: syscalls.CeilingNewest}})
	tr.attached, tr.every, tr.onward = true, true, unix.PTRACE_SYSCALL
	if errno := sys.Ptrace(unix.PTRACE_SEIZE, tid, 0, optionsAll); errno != 0 {
		return fmt.Errorf("seize: %w", errno)
	}
	var st procStatus
	st.read(tid, &tr.proc)
	tr.took(tid, &st)
	goOn()
	for {
		var status uint32
		if _, errno := sys.WaitFor(tid, &status, 0); errno != 0 {
			return fmt.Errorf("wait: %w", errno)
		}
		if !unix.WaitStatus(status).Stopped() {
			return nil
		}
		th := tr.table.get(tid)
		if !tr.parting && signalOf(status) == callStop && tr.read(th) && tr.in.Op == sys.SyscallEntry &&
			tr.in.Words[3] == 1 && int(tr.in.Words[4]) == waiterTime {
			tr.parting, tr.onward = true, unix.PTRACE_CONT
			th.seized = true
			if errno := sys.Ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); errno != 0 {
				return fmt.Errorf("interrupt: %w", errno)
			}
		}
		tr.stopped(tid, status)
	}
}
