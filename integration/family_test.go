package integration

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestFamily: what processes hear of the end of their parents and children, and of
// groups that are orphaned. P2: stops and continuations that overtake each other,
// with signals of which each has to arrive.
func TestFamily(t *testing.T) {
	family := fixture(t, "family")
	for _, what := range []string{"pdeathsig", "orphaned", "subreaper", "races"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			compare(t, func(t *testing.T, w *way) string { return w.run(t, family, what).String() })
		})
	}
}

// TestInitThreads: a first process of a pid namespace with threads, whose leader
// ends first, of which one executes a program, or faults.
func TestInitThreads(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	for name, argv := range map[string][]string{
		"leader ends": {"leader", "0"},
		"leader left": {"leader", "7"},
		"exec":        {"exec", "11"},
		"fault":       {"dumped"},
		"kills":       {"kills", "20"},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, func(t *testing.T, w *way) string {
				cmd := asInit(t, w.command(append([]string{threads}, argv...)...))
				cmd.Dir = t.TempDir()
				return start(t, cmd).wait(t).String()
			})
		})
	}
}

// TestAttachInit has pdig attach to the first process of a pid namespace. P8: such
// a process that is traced survives its own faults, if nobody sees to it.
func TestAttachInit(t *testing.T) {
	t.Parallel()
	family := fixture(t, "family")
	run := func(t *testing.T, attach bool) string {
		t.Helper()
		cmd := asInit(t, []string{family, "faults"})
		cmd.Dir = t.TempDir()
		g := startTargetCmd(t, cmd)
		if !attach {
			return g.finish(t)
		}
		w := readWay(t)
		p := w.attach(t, g.pid())
		if err := unix.Kill(g.pid(), unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(g.pid(), unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		out := g.finish(t)
		if r := p.wait(t); r.String() != "status 0x0\n" {
			t.Errorf("pdig: %s", r)
		}
		w.reader.done(t)
		return out
	}
	want := run(t, false)
	if got := run(t, true); got != want {
		t.Errorf("got %s, natively %s", got, want)
	}
}
