package integration

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEventsBeforeTheEnd: when a parent hears of the end of its command, all
// records are in the ring, the first of which is the birth of the command.
func TestEventsBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for name, argv := range map[string][]string{
		"true":     {"true"},
		"children": {"sh", "-c", "ls / | wc -l; ls /none; sleep 0.01 & wait; exit 3"},
		"killed":   {"sh", "-c", "kill -KILL $$"},
		"threads":  {fixture(t, "threads"), "joined", "20", "2"},
		"leader":   {fixture(t, "threads"), "leader", "0"},
		"dumped":   {fixture(t, "threads"), "dumped"},
		"executes": {fixture(t, "threads"), "exec", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				w := readWay(t)
				command := w.command(argv...)
				cmd := exec.Command(command[0], command[1:]...)
				cmd.Dir = t.TempDir()
				p := start(t, cmd)
				r := p.wait(t)
				head := ringHead(t, w.prefix)
				w.reader.settled()
				if now := ringHead(t, w.prefix); now != head {
					t.Errorf("the ring was at %d when the command had ended, and is at %d", head, now)
				}
				lives := checkRecords(t, w.reader.done(t))
				if first := w.reader.records[0]; first.tid() != p.pid() {
					t.Errorf("the first record is %s, want one of %d", &first, p.pid())
				}
				// A leader that ends before its threads has a status of its own.
				if l := lives[p.pid()]; l == nil || l.status != int64(r.status) && name != "leader" {
					t.Errorf("the command ended with %#x, by its events with %+v", uint32(r.status), l)
				}
			}
		})
	}
}

// startTraced starts a command that says ready, and returns its tracer and what
// else it prints.
func (w *way) startTraced(t *testing.T, argv ...string) (p *process, tracer int, stdin io.WriteCloser) {
	t.Helper()
	argv = w.command(argv...)
	g := startTarget(t, argv...)
	tracer = tracerOf(g.pid())
	if tracer == 0 {
		t.Fatal("the command has no tracer")
	}
	return g.process, tracer, g.stdin
}

// tracees are the threads that a tracer traces.
func tracees(tracer int) (all []int) {
	tasks, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	for _, task := range tasks {
		if tid, err := strconv.Atoi(filepath.Base(task)); err == nil && tracerOf(tid) == tracer {
			all = append(all, tid)
		}
	}
	return all
}

// TestTracerKilled: nobody survives the tracer, not even half (P12).
func TestTracerKilled(t *testing.T) {
	t.Parallel()
	for name, argv := range map[string][]string{
		"processes": {fixture(t, "life"), "busy", "4"},
		"threads":   {fixture(t, "threads"), "many", "20"},
	} {
		t.Run(name, func(t *testing.T) {
			eachTraced(t, func(t *testing.T, w *way) {
				p, tracer, stdin := w.startTraced(t, argv...)
				defer stdin.Close()
				all := tracees(tracer)
				if len(all) < 5 {
					t.Errorf("only %d are traced", len(all))
				}
				if err := unix.Kill(tracer, unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				if r := p.wait(t); !r.status.Signaled() || r.status.Signal() != unix.SIGKILL {
					t.Errorf("got %s", r)
				}
				for _, tid := range all {
					eventually(t, fmt.Sprintf("the end of %d", tid), func() bool { return gone(tid) })
				}
				w.reader = nil // which gets no end of anybody
			})
		})
	}
}

// TestTracerVforkKilled: a parent that waits in vfork dies with its tracer (P7).
func TestTracerVforkKilled(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	w := &way{traced: true, prefix: ring(t)}
	p, tracer, stdin := w.startTraced(t, life, "sleepingvfork")
	defer stdin.Close()
	all := tracees(tracer)
	if err := unix.Kill(tracer, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(t); !r.status.Signaled() || r.status.Signal() != unix.SIGKILL {
		t.Errorf("got %s", r)
	}
	for _, tid := range all {
		eventually(t, fmt.Sprintf("the end of %d", tid), func() bool { return gone(tid) })
	}
}

// TestTracerHoldsNothing: the tracer has nothing of the command's, and does
// not look like it.
func TestTracerHoldsNothing(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "inherited"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	eachTraced(t, func(t *testing.T, w *way) {
		argv := w.command(life, "busy", "1")
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.ExtraFiles, cmd.Stdin = dir, []*os.File{f, nil, f}, f
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		p, r := startPiped(t, cmd, false)
		if _, err := io.ReadFull(r, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		tracer := tracerOf(p.pid())
		proc := fmt.Sprintf("/proc/%d/", tracer)
		fds, err := os.ReadDir(proc + "fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			target, err := os.Readlink(proc + "fd/" + fd.Name())
			if err == nil && (strings.HasPrefix(target, dir) || strings.HasPrefix(target, "pipe:") || strings.HasPrefix(target, "socket:")) {
				t.Errorf("the tracer has %s as %s", target, fd.Name())
			}
		}
		if cwd, err := os.Readlink(proc + "cwd"); err != nil || cwd != "/" {
			t.Errorf("the tracer works in %s, %v", cwd, err)
		}
		cmdline, err := os.ReadFile(proc + "cmdline")
		if err != nil || strings.Contains(string(cmdline), "busy") || strings.Contains(string(cmdline), "ring") {
			t.Errorf("the tracer's arguments are %q, %v", cmdline, err)
		}
		if sid, err := unix.Getsid(tracer); err != nil || sid != tracer {
			t.Errorf("the tracer is in session %d, %v", sid, err)
		}
		// What is sent to the job, or to programs by their arguments.
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM, unix.SIGTSTP, unix.SIGTTIN} {
			if err := unix.Kill(tracer, sig); err != nil {
				t.Errorf("%v: %v", sig, err)
			}
		}
		if err := unix.Kill(-p.pid(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if r := p.wait(t); r.status.Signal() != unix.SIGKILL {
			t.Errorf("got %s", r)
		}
		eventually(t, "the end of the tracer", func() bool { return over(tracer) })
	})
}

var manyThreads = flag.Int("threads", 2000, "how many threads are traced for the memory that each takes")

// TestMemoryPerThread: many threads that have all made a call with a path (P22).
func TestMemoryPerThread(t *testing.T) {
	threads := fixture(t, "threads")
	const few, perThread = 10, 4096
	many := few + *manyThreads
	eachTraced(t, func(t *testing.T, w *way) {
		size := func(n int) int {
			p, tracer, stdin := w.startTraced(t, threads, "many", strconv.Itoa(n))
			if got := len(tracees(tracer)); got != n+1 {
				t.Errorf("%d threads are traced, want %d", got, n+1)
			}
			text, _, _ := strings.Cut(statusField(tracer, "RssAnon"), " ")
			kB, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			stdin.Close()
			if r := p.wait(t); r.status != 0 {
				t.Errorf("got %s", r)
			}
			return kB << 10
		}
		a, b := size(few), size(many)
		t.Logf("%d bytes with %d threads, %d with %d: %d a thread", a, few, b, many, (b-a)/(many-few))
		if (b-a)/(many-few) > perThread {
			t.Errorf("%d bytes a thread, want at most %d", (b-a)/(many-few), perThread)
		}
	})
}
