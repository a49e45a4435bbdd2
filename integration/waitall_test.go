package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ended reports whether the process is dead and has not been collected.
func ended(pid int) bool { return strings.HasPrefix(statusField(pid, "State"), "Z") }

// reported reports whether the parent, this test, could collect it.
func reported(t *testing.T, pid int) bool {
	t.Helper()
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	return info.Signo != 0
}

// daemonFIFO makes a FIFO, which daemons open for reading, and a function that
// lets them go on.
func daemonFIFO(t *testing.T) (name string, release func()) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "end")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// eachHeld runs f with --wait-all, with a filter and without.
func eachHeld(t *testing.T, f func(t *testing.T, w *way)) {
	t.Helper()
	for name, every := range map[string]bool{"filter": false, "every call": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := readWay(t)
			w.every, w.more = every, []string{"--wait-all"}
			f(t, w)
		})
	}
}

// TestWaitAll: the command is dead and has nothing open any more, but its parent
// does not hear of it before its daemon has ended.
func TestWaitAll(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	eachHeld(t, func(t *testing.T, w *way) {
		fifo, release := daemonFIFO(t)
		argv := w.command(life, "daemon", fifo)
		cmd := exec.Command(argv[0], argv[1:]...)
		p, r := startPiped(t, cmd, true)
		if out, err := io.ReadAll(r); err != nil || string(out) != "1 children, statuses 0, No child processes\n" {
			t.Errorf("%q, %v", out, err)
		}
		eventually(t, "the command has ended", func() bool { return ended(p.pid()) })
		w.reader.alive(t, 1)
		w.reader.settled()
		if reported(t, p.pid()) {
			t.Error("the end is told before the daemon has ended")
		}
		release()
		if r := p.wait(t); r.status != 0 {
			t.Errorf("got %s", r)
		}
		head := ringHead(t, w.prefix)
		w.reader.settled()
		if now := ringHead(t, w.prefix); now != head {
			t.Errorf("the ring was at %d when the end was told, and is at %d", head, now)
		}
		checkRecords(t, w.reader.done(t))
	})
}

// TestWaitAllLetsGo: a signal for the tracer ends the wait, and nothing else.
func TestWaitAllLetsGo(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	eachHeld(t, func(t *testing.T, w *way) {
		fifo, release := daemonFIFO(t)
		argv := w.command(life, "daemon", fifo)
		p := start(t, exec.Command(argv[0], argv[1:]...))
		eventually(t, "the command has ended", func() bool { return ended(p.pid()) })
		tracer := tracerOf(p.pid())
		if tracer == 0 {
			t.Fatal("the command has no tracer")
		}
		eventually(t, "the end of the command is told", func() bool {
			_ = unix.Kill(tracer, unix.SIGTERM) // one may come before the end is noticed
			return reported(t, p.pid())
		})
		p.wait(t)
		if gone(tracer) {
			t.Error("the tracer has ended")
		}
		release()
		w.reader.everybody(t)
		checkRecords(t, w.reader.done(t))
	})
}

// TestWaitAllKilled: who kills the command hears of it at once.
func TestWaitAllKilled(t *testing.T) {
	t.Parallel()
	eachHeld(t, func(t *testing.T, w *way) {
		argv := w.command("sh", "-c", "sleep 1000 >&- 2>&- & echo $!; wait")
		cmd := exec.Command(argv[0], argv[1:]...)
		p, r := startPiped(t, cmd, false)
		var child int
		if _, err := fmt.Fscan(r, &child); err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(p.pid(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if r := p.wait(t); r.status.Signal() != unix.SIGKILL {
			t.Errorf("got %s", r)
		}
		if err := unix.Kill(child, unix.SIGKILL); err != nil {
			t.Errorf("the child: %v", err)
		}
		w.reader.everybody(t)
		w.reader.done(t)
	})
}

// TestWaitAllNobodyHangs: descendants that wait for the end of the command find
// it, and commands end as they do without --wait-all.
func TestWaitAllNobodyHangs(t *testing.T) {
	t.Parallel()
	const reparented = `(until [ "$(cut -d" " -f4 /proc/$BASHPID/stat)" != $$ ]; do sleep 0.02; done; echo has another parent) & exit 4`
	for name, argv := range map[string][]string{
		"end of file":    {"bash", "-c", "exec > >(cat); echo text; exit 3"},
		"parent":         {"bash", "-c", reparented},
		"nobody":         {"sh", "-c", "exit 5"},
		"background":     {"sh", "-c", "sleep 0.1 & kill -TERM $$"},
		"headless":       {fixture(t, "threads"), "leader", "7"},
		"dead leader":    {fixture(t, "threads"), "leader", "0"},
		"exec of thread": {fixture(t, "threads"), "exec", "21"},
		"races":          {fixture(t, "threads"), "kills", "20"},
		"orphans":        {fixture(t, "life"), "storm", "grandchild", "20"},
	} {
		t.Run(name, func(t *testing.T) {
			if argv[0] == "bash" {
				needBash(t)
			}
			want := (&way{}).run(t, argv...).String()
			eachHeld(t, func(t *testing.T, w *way) {
				if got := w.run(t, argv...).String(); got != want {
					t.Errorf("got %s, natively %s", got, want)
				}
				w.reader.settled()
				checkRecords(t, w.reader.done(t))
			})
		})
	}
}

// TestWaitAllInit: the first process of a pid namespace is not held: it would be
// proof against SIGKILL, and with it the namespace.
func TestWaitAllInit(t *testing.T) {
	t.Parallel()
	w := &way{traced: true, prefix: ring(t), more: []string{"--wait-all"}}
	if r := start(t, asInit(t, w.command("sh", "-c", "sleep 1000 & exit 3"))).wait(t); r.String() != "status 0x300\n" {
		t.Errorf("got %s", r)
	}
}

// TestWaitAllSummary: the table holds what descendants have called too.
func TestWaitAllSummary(t *testing.T) {
	t.Parallel()
	r := runCommand(t, pdigPath, "--ring", ring(t), "--wait-all", "-c", "-e", "openat", "--", "sh", "-c", "(sleep 0.2; cat /none) & exit 3")
	if r.status.ExitStatus() != 3 || strings.Count(r.stderr, " total\n") != 1 || strings.Index(r.stderr, " total\n") < strings.Index(r.stderr, "/none") {
		t.Errorf("got %s", r)
	}
}

// TestSensorWaitsForAll: so does the sensor, until a signal.
func TestSensorWaitsForAll(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	for name, signalled := range map[string]bool{"to the end": false, "signal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fifo, release := daemonFIFO(t)
			p := start(t, exec.Command(sensorPath, "--wait-all", "-o", filepath.Join(t.TempDir(), "events"), "--", life, "daemon", fifo))
			command := 0
			eventually(t, "the command has ended", func() bool {
				for _, child := range children(p.pid()) {
					command = child
				}
				return command > 0 && ended(command)
			})
			if gone(p.pid()) {
				t.Error("the sensor has ended")
			}
			if !signalled {
				release()
			}
			if signalled { // the tracer may not hold it yet
				eventually(t, "the sensor has ended", func() bool {
					_ = unix.Kill(p.pid(), unix.SIGTERM)
					time.Sleep(100 * time.Millisecond) // one that is about to end is not asked again
					return gone(p.pid())
				})
			}
			if r := p.wait(t); r.status != 0 || !strings.Contains(r.stderr, " delivered, 0 lost\n") {
				t.Errorf("got %s", r)
			}
			if signalled {
				release()
			}
		})
	}
}
