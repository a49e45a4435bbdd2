package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sensorOn starts a sensor that writes what it reads of a ring to a file.
func sensorOn(t *testing.T, prefix, name string) (p *process, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), name)
	return start(t, exec.Command(sensorPath, "-u", "--ring", prefix, "-o", file)), file
}

// held checks that a program does not go on: it has a line to say otherwise.
func held(t *testing.T, p *process, lines <-chan string) {
	t.Helper()
	select {
	case line := <-lines:
		t.Errorf("it goes on: %q", line)
	case <-time.After(500 * time.Millisecond):
	}
	if gone(p.pid()) {
		t.Error("it has ended")
	}
}

// linesOf are those that a program prints.
func linesOf(g *target) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for {
			line, err := g.lines.ReadString('\n')
			if err != nil {
				return
			}
			lines <- line
		}
	}()
	return lines
}

// TestPrioritySecurity: no call is made while nobody reads, whoever the reader
// was and however it has ended, with a filter and without; and what is held can
// be killed (E2).
func TestPrioritySecurity(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "never"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			prefix := ring(t)
			cmd := exec.Command(pdigPath, "--ring", prefix, "--priority", "security", "--seccomp", mode, "--", fixture(t, "attach"), "steps")
			sensor, file := sensorOn(t, prefix, "first")
			g := startTargetCmd(t, cmd)
			lines := linesOf(g)
			say := func() {
				if _, err := g.stdin.Write([]byte{1}); err != nil {
					t.Fatal(err)
				}
			}
			next := func(n int) {
				t.Helper()
				select {
				case line := <-lines:
					if want := fmt.Sprintf("%d: No such file or directory\n", n); line != want {
						t.Errorf("got %q, want %q", line, want)
					}
				case <-time.After(patience):
					t.Fatal("it does not go on")
				}
			}
			says := func(text string) func() bool {
				return func() bool {
					content, _ := os.ReadFile(file)
					return strings.Contains(string(content), text)
				}
			}
			say()
			next(1)
			eventually(t, "the first sensor has seen it", says("/attach/1"))
			_ = unix.Kill(sensor.pid(), unix.SIGKILL)
			sensor.wait(t)
			say()
			held(t, g.process, lines)
			sensor, file = sensorOn(t, prefix, "second")
			next(2)
			eventually(t, "the second sensor has seen it", says("/attach/2"))
			_ = unix.Kill(sensor.pid(), unix.SIGTERM)
			if r := sensor.wait(t); r.status != 0 {
				t.Errorf("got %s", r)
			}
			say()
			held(t, g.process, lines)
			tracer := tracerOf(g.pid())
			_ = unix.Kill(g.pid(), unix.SIGKILL)
			if got := g.wait(t).String(); got != "status 0x9\n" {
				t.Errorf("got %s", got)
			}
			eventually(t, "the tracer has ended too", func() bool { return over(tracer) })
		})
	}
}

// TestPriorityAttach: the same of a program that ran before, which waits no
// longer when pdig is to end, and ends with it.
func TestPriorityAttach(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		w := readWay(t)
		g := startTarget(t, fixture(t, "attach"), "steps")
		p := w.startAttach(t, []string{"--priority", "security", "-p", strconv.Itoa(g.pid())}, g.pid())
		g.step(t, 1)
		w.reader.done(t)
		if _, err := g.stdin.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		held(t, g.process, linesOf(g))
		_ = unix.Kill(p.pid(), sig)
		p.wait(t)
		if got := g.wait(t).String(); got != "status 0x9\n" {
			t.Errorf("got %s", got)
		}
	}
}
