package integration

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

// within repeats what takes longer than it may: where it does so once, the machine may
// have been busy with something else. It returns the shortest time that it took.
func within(t *testing.T, what string, limit time.Duration, f func() time.Duration) (least time.Duration) {
	t.Helper()
	const rounds = 4
	for i := range rounds {
		took := f()
		if i == 0 || took < least {
			least = took
		}
		if least <= limit || t.Failed() {
			break
		}
	}
	if least > limit {
		t.Errorf("%s takes %v in the best of %d rounds, want at most %v", what, least, rounds, limit)
	}
	return least
}

// TestAttachInTime: all threads of a process are traced within 4 s, and 2 s after SIGINT
// or SIGTERM they are let go of, and pdig has ended with 0, whatever they are doing.
func TestAttachInTime(t *testing.T) {
	const attached, detached = 4 * time.Second, 2 * time.Second
	program := fixture(t, "attach")
	for _, tt := range []struct {
		name    string
		argv    []string
		stopped bool
	}{
		{"200 busy threads", []string{program, "load", "100"}, false},
		{"200 stopped threads", []string{program, "gentle", "100"}, true},
		{"waits, computes, in a vfork", []string{program, "states"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := readWay(t)
			w.reader.forgets.Store(true)
			g := startTarget(t, tt.argv...)
			if tt.stopped {
				stop(t, g)
			}
			for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM} {
				var p *process
				t.Logf("%v to attach", within(t, "to attach", attached, func() time.Duration {
					if p != nil {
						detach(t, p, sig, g.pid())
					}
					begin := time.Now()
					p = start(t, exec.Command(pdigPath, "--ring", w.prefix, "-e", "all", "-p", strconv.Itoa(g.pid())))
					eventually(t, "all threads are traced", func() bool { return tracedBy(g.pid(), p.pid()) })
					return time.Since(begin)
				}))
				t.Logf("%v to let go after %v", within(t, "to let go", detached, func() time.Duration {
					if gone(p.pid()) {
						p = w.attach(t, g.pid())
					}
					begin := time.Now()
					detach(t, p, sig, g.pid())
					return time.Since(begin)
				}), sig)
			}
			if tt.stopped {
				if err := unix.Kill(g.pid(), unix.SIGCONT); err != nil {
					t.Fatal(err)
				}
			}
			if got := g.finish(t); !strings.HasSuffix(got, "\nstatus 0x0\n") || !strings.HasPrefix(got, "errors 0, ") && !strings.HasPrefix(got, "end\n") {
				t.Errorf("got %s", got)
			}
			w.reader.done(t)
		})
	}
}

// stop stops a program.
func stop(t *testing.T, g *target) {
	t.Helper()
	if err := unix.Kill(g.pid(), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stopped", func() bool { return strings.HasPrefix(statusField(g.pid(), "State"), "T") })
}

// TestReleasedInTime: a command that waits for room in the ring goes on within 12 s after
// the sensor that made none was killed, and what was lost with that is counted.
func TestReleasedInTime(t *testing.T) {
	flood := fixture(t, "flood")
	const limit = 12 * time.Second
	within(t, "to let go of the command", limit, func() time.Duration {
		prefix := ring(t)
		small, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: prefix, Size: 64 << 10}})
		if err != nil {
			t.Fatal(err)
		}
		defer small.Close()
		sensor, _ := sensorOn(t, prefix, "lines")
		g := startTarget(t, pdigPath, "--ring", prefix, "--wait-sensor", "30s", "--on-full", "block", "-e", "openat", "-c", "--",
			"sh", "-c", `echo ready; read line; "$0" 5000; echo over`, flood)
		if err := unix.Kill(sensor.pid(), unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if _, err := g.stdin.Write([]byte("\n")); err != nil {
			t.Fatal(err)
		}
		lines := linesOf(g)
		for head := uint32(0); head == 0 || head != ringHead(t, prefix); {
			head = ringHead(t, prefix)
			held(t, g.process, lines)
		}
		if err := unix.Kill(sensor.pid(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if line := <-lines; line != "over\n" {
			t.Errorf("got %q", line)
		}
		took := time.Since(begin)
		sensor.wait(t)
		if r := g.wait(t); r.status != 0 || !strings.Contains(r.stderr, " reader gone\n") {
			t.Errorf("got %s", r)
		}
		t.Logf("it went on after %v", took)
		return took
	})
}
