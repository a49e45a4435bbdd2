package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A command has to behave the same in three ways of starting it: as it is,
// under pdig when nobody reads the ring, and under pdig when events are made.

// way is one of them.
type way struct {
	traced bool
	prefix string   // of the ring
	reader *reader  // nil without one
	every  bool     // without a filter
	front  []string // a command that executes another one, in front of all

	options []string // of pdig, in place of those that record everything
	more    []string // of its options
}

// command puts pdig in front of a command, if the way is a traced one.
func (w *way) command(argv ...string) []string {
	if !w.traced {
		return slices.Concat(w.front, argv)
	}
	options := append(slices.Clone(w.front), pdigPath, "--ring", w.prefix)
	if w.options == nil {
		options = append(options, "-e", "all")
	}
	options = append(options, w.options...)
	if w.every {
		options = append(options, "--seccomp", "never")
	}
	return append(append(append(options, w.more...), "--"), argv...)
}

// compare runs f in each way and wants the same from all of them. With a
// reader the records are held to what is always true of them.
func compare(t *testing.T, f func(t *testing.T, w *way) string) {
	t.Helper()
	want := f(t, &way{})
	eachTraced(t, func(t *testing.T, w *way) {
		if diff := cmp.Diff(want, f(t, w)); diff != "" {
			t.Errorf("native (-), traced (+):\n%s", diff)
		}
	})
}

// eachTraced runs f without and with a reader.
func eachTraced(t *testing.T, f func(t *testing.T, w *way)) {
	t.Helper()
	t.Run("no reader", func(t *testing.T) { f(t, &way{traced: true, prefix: ring(t)}) })
	t.Run("reader", func(t *testing.T) {
		w := readWay(t)
		f(t, w)
		if w.reader == nil {
			return // f has seen to the records
		}
		w.reader.everybody(t)
		w.reader.done(t)
		checkRecords(t, w.reader.records)
	})
}

// readWay is the traced way with a reader.
func readWay(t *testing.T) *way {
	t.Helper()
	prefix := ring(t)
	return &way{traced: true, prefix: prefix, reader: startReader(t, prefix)}
}

// patience is how long a command may take before it counts as hanging.
var patience = usualPatience

const usualPatience = 60 * time.Second

// soon is a time on the machine of the tests, in proportion to patience on another one.
func soon(limit time.Duration) time.Duration {
	return limit * (patience / time.Second) / (usualPatience / time.Second)
}

// process is a command that was started.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	timer          *time.Timer
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// start starts a command whose unset output is kept.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.stderr
	}
	cmd.WaitDelay = patience // a child of it may hold its output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.watch(t)
	t.Cleanup(func() {
		if p.timer.Stop() { // the test has failed before its end
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

// startPiped starts a command whose standard output, or that and its standard
// error, the test reads.
func startPiped(t *testing.T, cmd *exec.Cmd, both bool) (p *process, out *os.File) {
	t.Helper()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	defer w.Close()
	cmd.Stdout = w
	if both {
		cmd.Stderr = w
	}
	return start(t, cmd), out
}

// watch ends the process when it hangs, and says in what.
func (p *process) watch(t *testing.T) {
	p.timer = time.AfterFunc(patience, func() {
		// What there is in /proc of a process that executes a program waits for that.
		said := make(chan string, 1)
		go func() { said <- describeAll(p.pid()) }()
		select {
		case text := <-said:
			t.Errorf("%q hangs:\n%s", p.cmd.Args, text)
		case <-time.After(patience / 6):
			t.Errorf("%q hangs, and cannot be looked at", p.cmd.Args)
		}
		if tracer := tracerOf(p.pid()); tracer > 0 {
			_ = syscall.Kill(tracer, syscall.SIGKILL)
		}
		_ = p.cmd.Process.Kill()
	})
}

// wait waits for the end of the process.
func (p *process) wait(t *testing.T) result {
	t.Helper()
	err := p.cmd.Wait()
	p.timer.Stop()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{p.stdout.String(), p.stderr.String(), p.cmd.ProcessState.Sys().(syscall.WaitStatus)}
}

// run runs a command in this way, to its end.
func (w *way) run(t *testing.T, argv ...string) result {
	t.Helper()
	argv = w.command(argv...)
	return start(t, exec.Command(argv[0], argv[1:]...)).wait(t)
}

// String is the result as tests compare it.
func (r result) String() string {
	return fmt.Sprintf("%sstatus %#x\n%s", r.stdout, uint32(r.status), r.stderr)
}

// goFixture builds the Go program in testdata/NAME.
func goFixture(t *testing.T, name string) string {
	t.Helper()
	if *prebuilt != "" {
		return prebuiltProgram(t, name)
	}
	program := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", program, "./testdata/"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// statusField reads a field of /proc/PID/status; it is empty if there is none.
func statusField(pid int, name string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut("\n"+string(text), "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// tracerOf is the tracer of a process, 0 if it has none.
func tracerOf(pid int) int {
	thread, err := strconv.Atoi(statusField(pid, "TracerPid"))
	if err != nil || thread == 0 {
		return 0
	}
	tracer, err := strconv.Atoi(statusField(thread, "Tgid"))
	if err != nil {
		return 0
	}
	return tracer
}

// describeAll says what the process, its tracer and all tracees of that are doing.
func describeAll(pid int) string {
	var out strings.Builder
	tracer := tracerOf(pid)
	tasks, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	for _, dir := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(dir))
		owner, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(dir))))
		if owner != pid && owner != tracer && (tracer == 0 || tracerOf(tid) != tracer) {
			continue
		}
		stat, _ := os.ReadFile(dir + "/stat")
		call, _ := os.ReadFile(dir + "/syscall")
		wchan, _ := os.ReadFile(dir + "/wchan")
		fmt.Fprintf(&out, "%.60s in %s: %s", stat, wchan, call)
	}
	return out.String()
}

// eventually waits until f is true, which has to happen.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience / 2); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience/2, what)
		}
	}
}

// gone reports whether there is no such process any more, or only what its
// parent has not collected.
func gone(pid int) bool {
	state := statusField(pid, "State")
	return state == "" || state[0] == 'Z' || state[0] == 'X'
}

// over reports whether all threads of a process have ended, of which a tracer has more than one.
func over(pid int) bool { return gone(pid) && len(threadIDs(pid)) == 0 }

// needRoot skips a test of what only root can set up.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_SYS_ADMIN for namespaces, CAP_SETPCAP for capabilities")
	}
}
