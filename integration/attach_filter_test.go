package integration

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// filterNotice is what pdig says when it gives processes a filter.
const filterNotice = "pdig: the processes keep the filter until they end, and are killed when pdig ends (--seccomp always)\n"

// attachFilter attaches to a process, and returns when that has a filter.
func (w *way) attachFilter(t *testing.T, pid int) *process {
	t.Helper()
	p := w.startAttach(t, []string{"-S", "-p", strconv.Itoa(pid)}, pid)
	eventually(t, "it has a filter", func() bool { return statusField(pid, "Seccomp") == "2" })
	return p
}

// TestAttachFilter: a filter that a running process is given changes nothing for
// it, whatever its threads are doing, and its calls are told as without.
func TestAttachFilter(t *testing.T) {
	t.Parallel()
	program := fixture(t, "attach")
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"load", "10"}, "errors 0, lazy 0\n"},
		{[]string{"gentle", "10"}, "errors 0, lazy 0\n"},
		{[]string{"signals"}, "some ended 1\n"},
	} {
		t.Run(c.argv[0], func(t *testing.T) {
			t.Parallel()
			w := readWay(t)
			g := startTarget(t, append([]string{program}, c.argv...)...)
			tids := threadIDs(g.pid())
			p := w.attachFilter(t, g.pid())
			w.reader.manyMore(t)
			for _, tid := range threadIDs(g.pid()) {
				if got := statusField(tid, "Seccomp"); got != "2" {
					t.Errorf("thread %d has no filter: %s", tid, got)
				}
			}
			if got := g.finish(t); got != c.want+"status 0x0\n" {
				t.Errorf("got %s", got)
			}
			if r := p.wait(t); r.String() != "status 0x0\n"+filterNotice {
				t.Errorf("got %s", r)
			}
			w.reader.settled()
			checkAttached(t, w.reader.done(t), tids...)
		})
	}
}

// TestAttachFilterSteps: every call is told once, and so are those of children.
func TestAttachFilterSteps(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"", "setpriv --bounding-set -sys_admin"} {
		w := readWay(t)
		g := startTarget(t, append(strings.Fields(way), fixture(t, "attach"), "steps")...)
		tids := threadIDs(g.pid())
		g.step(t, 1)
		p := w.startAttach(t, []string{"-S", "-p", strconv.Itoa(g.pid())}, g.pid())
		for n := range 4 {
			g.step(t, n+2)
		}
		if got, want := statusField(g.pid(), "NoNewPrivs"), strconv.Itoa(min(len(way), 1)); got != want {
			t.Errorf("no_new_privs is %s, want %s", got, want)
		}
		if got, want := g.finish(t), "status 0x0\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if r := p.wait(t); r.String() != "status 0x0\n"+filterNotice {
			t.Errorf("got %s", r)
		}
		w.reader.settled()
		records := w.reader.done(t)
		checkAttached(t, records, tids...)
		for n := 2; n <= 5; n++ {
			if enter, exit := opened(records, fmt.Sprintf("/attach/%d", n)); enter != 1 || exit != 1 {
				t.Errorf("step %d: %d enter and %d exit halves", n, enter, exit)
			}
		}
	}
}

// TestAttachFilterEnd: who has the filter is killed when the tracer ends, with
// all children: their calls would fail (P12).
func TestAttachFilterEnd(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		w := readWay(t)
		cmd := exec.Command(fixture(t, "threads"), "hectic")
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		g := start(t, cmd)
		eventually(t, "there are threads", func() bool { return len(threadIDs(g.pid())) >= 5 })
		p := w.attachFilter(t, g.pid())
		w.reader.manyMore(t)
		if err := unix.Kill(p.pid(), sig); err != nil {
			t.Fatal(err)
		}
		p.wait(t)
		if got, want := g.wait(t).String(), "status 0x9\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		eventually(t, "its children are gone", func() bool { return unix.Kill(-g.pid(), 0) != nil })
		w.reader.done(t)
	}
}

// TestAttachFilterRefused: a process that has a filter of its own gets no other,
// is traced all the same, and outlives pdig.
func TestAttachFilterRefused(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, fixture(t, "refuse"), "seccomp", fixture(t, "attach"), "steps")
	g.step(t, 1)
	p := w.startAttach(t, []string{"-S", "-p", strconv.Itoa(g.pid())}, g.pid())
	g.step(t, 2)
	_ = unix.Kill(p.pid(), unix.SIGTERM)
	want := fmt.Sprintf("status 0x0\n%spdig: process %d gets no filter and stops at every call: it has a seccomp filter already\n", filterNotice, g.pid())
	if r := p.wait(t); r.String() != want {
		t.Errorf("got %s, want %s", r, want)
	}
	g.step(t, 3)
	if got := g.finish(t); got != "status 0x0\n" {
		t.Errorf("got %s", got)
	}
	if enter, exit := opened(w.reader.done(t), "/attach/2"); enter != 1 || exit != 1 {
		t.Errorf("%d enter and %d exit halves", enter, exit)
	}
}
