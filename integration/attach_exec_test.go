package integration

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inExec starts a program that has a child which stays in an exec until a byte is written
// to the program, and returns the number of that child.
func inExec(t *testing.T) (g *target, pid int) {
	t.Helper()
	g = startTarget(t, fixture(t, "executing"))
	pid = leading(g.line(t))
	return g, pid
}

// goesOn ends the exec, and then the program.
func (g *target) goesOn(t *testing.T) {
	t.Helper()
	if _, err := g.stdin.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if got := g.line(t); got != "goes on\n" {
		t.Errorf("got %q", got)
	}
}

// TestAttachExecuting: a process that stays in the middle of an exec, where the kernel
// lets nobody attach to it, holds neither those that are traced already (K5) nor pdig
// itself (P27): it is traced when it has come to the end of that, or there is a line.
func TestAttachExecuting(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(t *testing.T, w *way, p *process, g *target, pid int) string{
		"signal": func(t *testing.T, _ *way, p *process, g *target, pid int) string {
			begin := time.Now()
			detach(t, p, unix.SIGTERM)
			if took := time.Since(begin); took > soon(4*time.Second) {
				t.Errorf("it has ended after %v", took)
			}
			return ""
		},
		"comes to an end": func(t *testing.T, _ *way, p *process, g *target, pid int) string {
			g.goesOn(t)
			eventually(t, "it is traced", func() bool { return tracerOf(pid) == p.pid() })
			detach(t, p, unix.SIGINT, pid)
			return "gone on"
		},
		"refused": func(t *testing.T, w *way, p *process, g *target, pid int) string {
			other := start(t, exec.Command(pdigPath, "--ring", w.prefix, "-p", strconv.Itoa(pid)))
			want := fmt.Sprintf("status 0x7d00\npdig: process %d: it executes a program, and does not come to an end of that\n", pid)
			if r := other.wait(t); r.String() != want {
				t.Errorf("got %s, want %s", r, want)
			}
			_ = unix.Kill(p.pid(), unix.SIGINT)
			if r := p.wait(t); r.status != 0 || !strings.HasSuffix(want, r.stderr) {
				t.Errorf("got %s", r)
			}
			return ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, pid := inExec(t)
			w := readWay(t)
			traced := startTarget(t, fixture(t, "attach"), "steps")
			p := start(t, exec.Command(pdigPath, "--ring", w.prefix, "-e", "all", "-p", strconv.Itoa(traced.pid()), "-p", strconv.Itoa(pid)))
			eventually(t, "the first is traced", func() bool { return tracerOf(traced.pid()) == p.pid() })
			time.Sleep(300 * time.Millisecond) // it turns to the second
			begin := time.Now()
			traced.step(t, 1)
			if took := time.Since(begin); took > soon(3*time.Second) {
				t.Errorf("who is traced already was held for %v", took)
			}
			if f(t, w, p, g, pid) == "" {
				g.goesOn(t)
			}
			if got, want := g.finish(t), "ended with 3\nstatus 0x0\n"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got, want := traced.finish(t), "status 0x0\n"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			w.reader.done(t)
		})
	}
}
