package integration

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

// TestAttachCalls: calls that are under way at attach and detach, and go on
// beyond, have the results and take the time that they natively do (K2).
func TestAttachCalls(t *testing.T) {
	t.Parallel()
	program := fixture(t, "attach")
	const seconds = 6
	var want string
	t.Run("native", func(t *testing.T) {
		g := startTarget(t, program, "calls", strconv.Itoa(seconds))
		time.Sleep((seconds + 1) * time.Second)
		want = g.finish(t)
	})
	for _, how := range []string{"let go", "killed", "to the end"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := readWay(t)
			g := startTarget(t, program, "calls", strconv.Itoa(seconds))
			tids := threadIDs(g.pid())
			// A call that began anew now would be late at last.
			time.Sleep(seconds * 2 / 3 * time.Second)
			p := w.attach(t, g.pid())
			switch how {
			case "let go":
				detach(t, p, unix.SIGINT, g.pid())
				detach(t, w.attach(t, g.pid()), unix.SIGINT, g.pid())
			case "killed":
				_ = p.cmd.Process.Kill()
				p.wait(t)
				untraced(t, g.pid())
			}
			time.Sleep((seconds/3 + 1) * time.Second)
			if got := g.finish(t); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if how == "to the end" {
				if r := p.wait(t); r.String() != "status 0x0\n" {
					t.Errorf("got %s", r)
				}
				w.reader.settled()
			}
			checkAttached(t, w.reader.done(t), tids...)
		})
	}
}

// TestAttachQueued attaches to a program and lets go of it while signals come that it
// counts: each comes once, in its turn, with its value, and no other does (K2).
func TestAttachQueued(t *testing.T) {
	// Not beside others: it takes both of two CPUs, and a tracer that starts then waited
	// for its first moment on one for half a minute.
	w := readWay(t)
	w.reader.forgets.Store(true)
	g := startTarget(t, fixture(t, "queued"))
	for i := range 12 {
		g.timer.Reset(patience)
		p := w.attach(t, g.pid())
		if i%4 == 0 {
			w.reader.manyMore(t)
		}
		detach(t, p, []unix.Signal{unix.SIGINT, unix.SIGTERM}[i%2], g.pid())
	}
	if got, want := g.finish(t), strings.Repeat("lost 0, wrong 0, some 1\n", 3)+"continued 0\nstatus 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.reader.done(t)
}

// states are the states of the threads of a process and the CPUs that each may
// run on.
func states(pid int) (list []string) {
	for _, tid := range threadIDs(pid) {
		state := statusField(tid, "State")
		list = append(list, fmt.Sprintf("%d %.1s %s", tid, state, statusField(tid, "Cpus_allowed")))
	}
	return list
}

// TestAttachStopped: a process that was stopped before stays stopped, runs when it
// is continued, and is found by its parent to be stopped once.
func TestAttachStopped(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, fixture(t, "attach"), "steps")
	stopped := func(letter string) func() bool {
		return func() bool { return strings.HasPrefix(statusField(g.pid(), "State"), letter) }
	}
	tids := threadIDs(g.pid())
	signal := func(sig unix.Signal) {
		t.Helper()
		if err := unix.Kill(g.pid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	notices := func() (n int) {
		for {
			var ws unix.WaitStatus
			if pid, err := unix.Wait4(g.pid(), &ws, unix.WUNTRACED|unix.WNOHANG, nil); pid != g.pid() || err != nil {
				return n
			}
			n++
		}
	}
	signal(unix.SIGSTOP)
	eventually(t, "it is stopped", stopped("T"))
	if n := notices(); n != 1 {
		t.Errorf("it was stopped %d times", n)
	}
	detach(t, w.attach(t, g.pid()), unix.SIGINT, g.pid())
	eventually(t, "it is stopped as before", stopped("T"))
	p := w.attach(t, g.pid())
	eventually(t, "it is held", stopped("t"))
	signal(unix.SIGCONT)
	g.step(t, 1)
	if n := notices(); n != 0 {
		t.Errorf("it was stopped %d times more", n)
	}
	signal(unix.SIGSTOP)
	eventually(t, "it is stopped and traced", stopped("t"))
	detach(t, p, unix.SIGTERM, g.pid())
	eventually(t, "it is stopped without a tracer", stopped("T"))
	if n := notices(); n != 1 {
		t.Errorf("it was stopped %d times", n)
	}
	signal(unix.SIGCONT)
	g.step(t, 2)
	if got, want := g.finish(t), "status 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	records := w.reader.done(t)
	checkAttached(t, records, tids...)
	if enter, exit := opened(records, "/attach/1"); enter != 1 || exit != 1 {
		t.Errorf("%d and %d halves while it was traced", enter, exit)
	}
}

// TestDetachStates lets go of threads that compute, wait, and wait in a vfork (P7).
func TestDetachStates(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, fixture(t, "attach"), "states")
	// The first has said that it is ready before it waits.
	var before []string
	eventually(t, "a thread waits, one computes, one is in a vfork", func() bool {
		before = states(g.pid())
		all := strings.Join(before, "\n")
		return len(before) == 3 && strings.Contains(all, " S ") && strings.Contains(all, " R ") && strings.Contains(all, " D ")
	})
	for range 5 {
		p := w.attach(t, g.pid())
		detach(t, p, unix.SIGINT, g.pid())
		eventually(t, "all are as before", func() bool { return slices.Equal(before, states(g.pid())) })
	}
	if got, want := g.finish(t), "end\nstatus 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.reader.done(t)
}

// TestAttachTreeOfThread: the number of a thread stands for its process, with all
// descendants.
func TestAttachTreeOfThread(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, fixture(t, "attach"), "calls", "1")
	var all []int
	eventually(t, "there is a child", func() bool {
		all = append([]int{g.pid()}, children(g.pid())...)
		return len(all) == 2
	})
	thread := slices.Sorted(slices.Values(threadIDs(g.pid())))[1] // the first waits for its word
	detach(t, w.startAttach(t, []string{"-P", strconv.Itoa(thread)}, all...), unix.SIGINT, all...)
	g.finish(t)
	w.reader.done(t)
}

// TestAttachTree: -P takes the descendants that live, and -p the children that
// are born later.
func TestAttachTree(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, fixture(t, "attach"), "tree")
	var all []int
	eventually(t, "there are descendants", func() bool {
		all = append([]int{g.pid()}, children(g.pid())...)
		all = append(all, children(all[len(all)-1])...)
		return len(all) == 3
	})
	tree := []string{"-P", strconv.Itoa(g.pid())}
	detach(t, w.startAttach(t, tree, all...), unix.SIGINT, all...)
	p := w.attach(t, g.pid())
	if tracerOf(all[1]) != 0 {
		t.Error("-p has taken a child")
	}
	detach(t, p, unix.SIGINT, all...)
	p = w.startAttach(t, tree, all...)
	g.step(t, 1)
	g.stdin.Close()
	if r := p.wait(t); r.String() != "status 0x0\n" {
		t.Errorf("got %s", r)
	}
	g.finish(t)
	records := w.reader.done(t)
	checkAttached(t, records, all...)
	if n := count(records, func(r *record) bool { return r.call == "procexit" }); n != 3 {
		t.Errorf("%d ends", n)
	}

	// A shell and what it starts.
	w = readWay(t)
	g = startTarget(t, "sh", "-c", "echo ready; read line; /bin/ls / >/dev/null; (/bin/ls /; /bin/ls /) | /bin/cat >/dev/null; exit 3")
	p = w.attach(t, g.pid())
	if _, err := g.stdin.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(t); r.String() != "status 0x0\n" {
		t.Errorf("got %s", r)
	}
	if got, want := g.finish(t), "status 0x300\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	records = w.reader.done(t)
	checkAttached(t, records, g.pid())
	execs := count(records, func(r *record) bool { return r.exit && executing(r.call) && r.ret == 0 })
	ends := count(records, func(r *record) bool { return r.call == "procexit" })
	births := count(records, func(r *record) bool { return r.birth() && !r.announcement() })
	if execs != 4 || ends != births+1 {
		t.Errorf("%d execs, %d births, %d ends", execs, births, ends)
	}
}

// TestAttachTreeEnded: of the descendants that have ended there is one line, and
// the others are traced.
func TestAttachTreeEnded(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, "sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & echo ready; exec cat")
	eventually(t, "it collects no children any more", func() bool { return statusField(g.pid(), "Name") == "cat" })
	for _, pid := range children(g.pid()) {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a child has ended", func() bool { return gone(pid) })
	}
	p := w.startAttach(t, []string{"-P", strconv.Itoa(g.pid())}, g.pid())
	g.finish(t)
	if got, want := p.wait(t).String(), fmt.Sprintf("status 0x0\npdig: process %d: descendants that have ended: 3\n", g.pid()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.reader.done(t)
}

// children are those of a process, the oldest first.
func children(pid int) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child := leading(filepath.Base(dir))
		if leading(statusField(child, "PPid")) == pid {
			pids = append(pids, child)
		}
	}
	slices.Sort(pids)
	return pids
}

// TestDetachWhileFull: a signal ends pdig while it holds a thread because the ring
// is full.
func TestDetachWhileFull(t *testing.T) {
	t.Parallel()
	w := &way{prefix: ring(t)}
	const size = 64 << 10
	consume(t, shm.Config{Prefix: w.prefix, Size: size})
	g := startTarget(t, fixture(t, "attach"), "load", "4")
	p := start(t, exec.Command(pdigPath, "--ring", w.prefix, "-e", "all", "--on-full", "block", "-p", strconv.Itoa(g.pid())))
	eventually(t, "the ring is full", func() bool { return ringHead(t, w.prefix) > size*9/10 })
	detach(t, p, unix.SIGINT, g.pid())
	if got, want := g.finish(t), "errors 0, lazy 0\nstatus 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
