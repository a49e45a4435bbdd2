package integration

import (
	"flag"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var killRounds = flag.Int("kills.rounds", 6, "how often the tracer and the reader are killed, in each way")

// TestKillsAtRandom kills tracer or reader at any moment: what has a filter ends
// with its tracer, all of it; everything else goes on as if nothing had been.
func TestKillsAtRandom(t *testing.T) {
	t.Parallel()
	busy := []string{fixture(t, "attach"), "gentle", "4"}
	unharmed := regexp.MustCompile(`^errors 0, lazy \d\nstatus 0x0\n$`) // lazy: too short a life
	options := func(prefix string, more ...string) []string {
		return append([]string{pdigPath, "--ring", prefix, "-e", "all"}, more...)
	}
	launch := func(prefix string, more ...string) []string {
		return append(append(options(prefix, more...), "--"), busy...)
	}
	soon := func() { time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond) }
	kill := func(t *testing.T, pid int) {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	goesOn := func(t *testing.T, g *target) {
		if got := g.finish(t); !unharmed.MatchString(got) {
			t.Errorf("got %s", got)
		}
	}
	for _, row := range []struct {
		name  string
		round func(t *testing.T, prefix string)
	}{
		{"tracer of a filter", func(t *testing.T, prefix string) {
			g := startTarget(t, launch(prefix)...)
			tracer := tracerOf(g.pid())
			all := tracees(tracer)
			soon()
			kill(t, tracer)
			if r := g.wait(t); r.status != syscall.WaitStatus(unix.SIGKILL) {
				t.Errorf("got %s", r)
			}
			for _, tid := range all {
				eventually(t, "the end of "+strconv.Itoa(tid), func() bool { return gone(tid) })
			}
		}},
		{"tracer without a filter", func(t *testing.T, prefix string) {
			g := startTarget(t, launch(prefix, "--seccomp", "never")...)
			soon()
			kill(t, tracerOf(g.pid()))
			eventually(t, "nobody is traced", func() bool { return tracedBy(g.pid(), 0) })
			goesOn(t, g)
		}},
		{"attached tracer", func(t *testing.T, prefix string) {
			g := startTarget(t, busy...)
			p := start(t, exec.Command(pdigPath, options(prefix, "-p", strconv.Itoa(g.pid()))[1:]...))
			soon()
			kill(t, p.pid())
			p.wait(t)
			untraced(t, g.pid())
			goesOn(t, g)
		}},
		{"reader", func(t *testing.T, prefix string) {
			g := startTarget(t, launch(prefix)...)
			s, _ := sensorOn(t, prefix, "lines")
			soon()
			kill(t, s.pid())
			s.wait(t)
			goesOn(t, g)
		}},
		{"reader that is waited for", func(t *testing.T, prefix string) {
			g := startTarget(t, launch(prefix, "--on-full", "block")...)
			s, _ := sensorOn(t, prefix, "lines")
			soon()
			kill(t, s.pid())
			s.wait(t)
			goesOn(t, g)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			prefix := ring(t)
			for range *killRounds {
				row.round(t, prefix)
			}
		})
	}
}
