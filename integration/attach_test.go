package integration

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	attachRounds = flag.Int("attach.rounds", 100, "how often to attach to a busy program")
	attachPairs  = flag.Int("attach.pairs", 20, "pairs of threads in that program")
)

// target is a program that runs already.
type target struct {
	*process
	stdin io.WriteCloser
	lines *bufio.Reader // of its standard output
}

// startTarget starts a program and returns when it says that it is ready.
func startTarget(t *testing.T, argv ...string) *target {
	t.Helper()
	return startTargetCmd(t, exec.Command(argv[0], argv[1:]...))
}

func startTargetCmd(t *testing.T, cmd *exec.Cmd) *target {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	p, out := startPiped(t, cmd, false)
	g := &target{process: p, stdin: in, lines: bufio.NewReader(out)}
	if line := g.line(t); line != "ready\n" {
		t.Fatalf("got %q", line)
	}
	return g
}

func (g *target) line(t *testing.T) string {
	t.Helper()
	line, err := g.lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// finish ends the standard input of the program and returns what it says.
func (g *target) finish(t *testing.T) string {
	t.Helper()
	g.stdin.Close()
	out, err := io.ReadAll(g.lines)
	if err != nil {
		t.Error(err)
	}
	r := g.wait(t)
	return fmt.Sprintf("%sstatus %#x\n%s", out, uint32(r.status), r.stderr)
}

// threadIDs are the threads of a process that have not ended.
func threadIDs(pid int) (tids []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	for _, task := range tasks {
		if tid, err := strconv.Atoi(filepath.Base(task)); err == nil && !gone(tid) {
			tids = append(tids, tid)
		}
	}
	return tids
}

// tracedBy reports whether all threads of a process are traced by a process.
func tracedBy(pid, tracer int) bool {
	for _, tid := range threadIDs(pid) {
		if tracerOf(tid) != tracer && !gone(tid) {
			return false
		}
	}
	return true
}

// startAttach starts pdig with options that name processes, and returns when it
// says that it traces them, and does.
func (w *way) startAttach(t *testing.T, options []string, pids ...int) *process {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	argv := slices.Concat(w.front, []string{pdigPath, "--ring", w.prefix, "-e", "all", "--log-level", "info", "--log-file", log}, w.more, options)
	p := start(t, exec.Command(argv[0], argv[1:]...))
	eventually(t, "it has attached", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), `"attached"`)
	})
	for _, pid := range pids {
		if !tracedBy(pid, p.pid()) {
			t.Errorf("a thread of %d is not traced:\n%s", pid, describeAll(pid))
		}
	}
	return p
}

func (w *way) attach(t *testing.T, pid int) *process {
	t.Helper()
	return w.startAttach(t, []string{"-p", strconv.Itoa(pid)}, pid)
}

// detach ends an attached pdig by a signal, after which nothing is traced.
func detach(t *testing.T, p *process, sig unix.Signal, pids ...int) {
	t.Helper()
	begin := time.Now()
	if err := unix.Kill(p.pid(), sig); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(t); r.String() != "status 0x0\n" {
		t.Errorf("got %s", r)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Logf("%v to let go", took)
	}
	for _, pid := range pids {
		untraced(t, pid)
	}
}

// untraced checks that no thread of a process has a tracer or a stop left.
func untraced(t *testing.T, pid int) {
	t.Helper()
	for _, tid := range threadIDs(pid) {
		state, tracer := statusField(tid, "State"), statusField(tid, "TracerPid")
		if tracer != "0" && tracer != "" || strings.HasPrefix(state, "t") {
			t.Errorf("thread %d: state %s, tracer %s", tid, state, tracer)
		}
	}
}

// announcement reports whether the record is a birth that tells of a thread that
// has lived before.
func (r *record) announcement() bool {
	const active = 1 << 19 // PPM_CL_ACTIVE
	return r.birth() && r.number("flags")&active != 0
}

// checkAttached holds records of processes that ran before to what is always
// true of records. Calls that were under way at the end have no second half.
func checkAttached(t *testing.T, records []record, tids ...int) {
	t.Helper()
	records = slices.DeleteFunc(slices.Clone(records), func(r record) bool { return r.announcement() })
	lives := map[int]*life{}
	for _, tid := range tids {
		lives[tid] = &life{}
	}
	executed, bad := 0, 0
	for i := range records {
		if problem := checkRecord(lives, &records[i], &executed); problem != "" && bad < 10 {
			bad++
			t.Errorf("record %d of %d: %s: %s%s", i, len(records), &records[i], problem, before(records[:i], records[i].tid()))
		}
	}
}

// opened counts the halves of calls that open a file of steps.
func opened(records []record, name string) (enter, exit int) {
	for i := range records {
		r := &records[i]
		if r.call != "openat" && r.call != "open" {
			continue
		}
		for n, p := range r.Info().Params {
			if p.Name == "name" && string(r.Str(n)) == name {
				if r.exit {
					exit++
				} else {
					enter++
				}
			}
		}
	}
	return enter, exit
}

// step has the program open its next file, which does not exist.
func (g *target) step(t *testing.T, n int) {
	t.Helper()
	if _, err := g.stdin.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if got, want := g.line(t), fmt.Sprintf("%d: No such file or directory\n", n); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAttachEvents: of a program with one thread, and of one whose leader has
// ended, both halves of what is called while pdig is there, and nothing else.
func TestAttachEvents(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"steps", "headless"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			attachSteps(t, readWay(t), what)
		})
	}
}

func attachSteps(t *testing.T, w *way, what string) {
	g := startTarget(t, fixture(t, "attach"), what)
	g.step(t, 1)
	tids := threadIDs(g.pid())
	p := w.attach(t, g.pid())
	g.step(t, 2)
	detach(t, p, unix.SIGTERM, g.pid())
	g.step(t, 3)
	p = w.attach(t, g.pid())
	g.step(t, 4)
	detach(t, p, unix.SIGINT, g.pid())
	if got, want := g.finish(t), "status 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	records := w.reader.done(t)
	checkAttached(t, records, tids...)
	for n := 1; n <= 4; n++ {
		enter, exit := opened(records, fmt.Sprintf("/attach/%d", n))
		want := 1 - n%2
		if enter != want || exit != want {
			t.Errorf("step %d: %d enter and %d exit halves, want %d", n, enter, exit, want)
		}
	}
}

// TestAttachToTheEnd: when the last tracee has ended pdig ends too, whatever
// other children it has.
func TestAttachToTheEnd(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, fixture(t, "attach"), "steps")
	script := fmt.Sprintf(`sleep 1000 >&- 2>&- & echo $!; exec %s --ring %s -e all -p %d`, pdigPath, w.prefix, g.pid())
	cmd := exec.Command("sh", "-c", script)
	p := start(t, cmd)
	eventually(t, "it is traced", func() bool { return tracedBy(g.pid(), p.pid()) })
	g.step(t, 1)
	tids := threadIDs(g.pid())
	g.finish(t)
	r := p.wait(t)
	if pid, err := strconv.Atoi(strings.TrimSpace(r.stdout)); err != nil || unix.Kill(pid, unix.SIGKILL) != nil {
		t.Errorf("the other child: %q", r.stdout)
	}
	if r.status != 0 || r.stderr != "" {
		t.Errorf("got %s", r)
	}
	records := w.reader.done(t)
	checkAttached(t, records, tids...)
	if last := records[len(records)-1]; last.call != "procexit" || last.tid() != tids[0] {
		t.Errorf("the last record is %s", &last)
	}
}

// TestAttachLoad attaches to a busy program with many threads, and lets go of it
// again, many times: nobody is missed, and no call notices (K2).
func TestAttachLoad(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	w.reader.forgets.Store(true)
	g := startTarget(t, fixture(t, "attach"), "load", strconv.Itoa(*attachPairs))
	if n := len(threadIDs(g.pid())); n != 2**attachPairs+1 {
		t.Fatalf("%d threads", n)
	}
	for i := range *attachRounds {
		g.timer.Reset(patience)
		p := w.attach(t, g.pid())
		if i%10 == 0 {
			seen := w.reader.seen.Load()
			eventually(t, "there are records", func() bool { return w.reader.seen.Load() > seen+1000 })
		}
		detach(t, p, []unix.Signal{unix.SIGINT, unix.SIGTERM}[i%2], g.pid())
	}
	if got, want := g.finish(t), "errors 0, lazy 0\nstatus 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.reader.done(t)
}

// TestAttachKilled: what pdig has attached to outlives it, unharmed (P12). At
// that moment threads stand at the entry of calls, which they then carry out as if
// they had been stopped and continued: epoll_wait ends with EINTR.
func TestAttachKilled(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{{"gentle", "10"}, {"signals"}} {
		t.Run(argv[0], func(t *testing.T) {
			t.Parallel()
			g := startTarget(t, append([]string{fixture(t, "attach")}, argv...)...)
			w := readWay(t)
			for i := range 30 {
				g.timer.Reset(patience)
				p := w.attach(t, g.pid())
				time.Sleep(time.Duration(i) * time.Millisecond)
				_ = p.cmd.Process.Kill()
				p.wait(t)
				untraced(t, g.pid())
			}
			want := "errors 0, lazy 0\nstatus 0x0\n"
			if argv[0] == "signals" {
				want = "some ended 1\nstatus 0x0\n"
			}
			if got := g.finish(t); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestAttachSignals: calls that signals end are one call with one result, as
// they are under a filter.
func TestAttachSignals(t *testing.T) {
	t.Parallel()
	attachSignals(t, readWay(t))
}

func attachSignals(t *testing.T, w *way) {
	g := startTarget(t, fixture(t, "attach"), "signals")
	tids := threadIDs(g.pid())
	p := w.attach(t, g.pid())
	w.reader.manyMore(t)
	eventually(t, "a nanosleep has ended by a signal", func() bool { return w.reader.cut.Load() > 0 })
	detach(t, p, unix.SIGINT, g.pid())
	if got, want := g.finish(t), "some ended 1\nstatus 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	records := w.reader.done(t)
	checkAttached(t, records, tids...)
	if !slices.Contains(results(records, "nanosleep"), -int64(unix.EINTR)) {
		t.Error("no nanosleep has ended by a signal")
	}
}

// manyMore waits for many new records.
func (r *reader) manyMore(t *testing.T) {
	t.Helper()
	seen := r.seen.Load()
	eventually(t, "there are records", func() bool { return r.seen.Load() > seen+2000 })
}

// TestAttachExecs attaches again and again to a process of which one thread or
// another executes a program all the time.
func TestAttachExecs(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	w := readWay(t)
	g := start(t, exec.Command(threads, "exec", "300"))
	attached := 0
	// Its leader may have ended before. While a thread takes the leader's place
	// there is none for a moment.
	over := func() bool {
		for range 50 {
			if len(threadIDs(g.pid())) > 0 {
				return false
			}
			time.Sleep(time.Millisecond)
		}
		return true
	}
	for !over() {
		g.timer.Reset(patience)
		p := start(t, exec.Command(pdigPath, "--ring", w.prefix, "-e", "exec", "-p", strconv.Itoa(g.pid())))
		eventually(t, "it is traced, or there is nothing to trace", func() bool {
			traced := func(tid int) bool { return tracerOf(tid) == p.pid() }
			return slices.ContainsFunc(threadIDs(g.pid()), traced) || gone(p.pid())
		})
		time.Sleep(time.Duration(attached%10) * time.Millisecond)
		_ = unix.Kill(p.pid(), unix.SIGINT)
		switch r := p.wait(t); {
		case r.String() == "status 0x0\n":
			attached++
		case r.status.ExitStatus() == 125:
			eventually(t, "there is nothing left: "+r.stderr, over)
		default:
			t.Fatalf("got %s", r)
		}
	}
	if got, want := g.wait(t).String(), "a leader: 1\nstatus 0x0\n"; got != want || attached == 0 {
		t.Errorf("got %s after %d times, want %s", got, attached, want)
	}
	t.Logf("attached %d times", attached)
	w.reader.done(t)
}

// TestAttachBirths attaches while threads and processes are made without pause:
// from then on everybody is traced.
func TestAttachBirths(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	for range 5 {
		w := readWay(t)
		cmd := exec.Command(threads, "hectic")
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		g := start(t, cmd)
		eventually(t, "there are threads", func() bool { return len(threadIDs(g.pid())) >= 5 })
		p := w.attach(t, g.pid())
		w.reader.manyMore(t)
		for range 50 {
			if !tracedBy(g.pid(), p.pid()) {
				t.Errorf("a thread is not traced:\n%s", describeAll(g.pid()))
			}
		}
		detach(t, p, unix.SIGINT, g.pid())
		_ = unix.Kill(-g.pid(), unix.SIGKILL)
		g.wait(t)
		w.reader.done(t)
	}
}
