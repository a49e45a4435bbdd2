package integration

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSignals: every signal in every form, as its handler sees it (P3), and
// what else a program can do with signals. P10: its own filters answer as they do
// natively. P16: int 0x80 and x32 calls of a 64-bit program. K4: it has SIGTRAP,
// breakpoints and codes of its own that look like stops of the tracer's.
func TestSignals(t *testing.T) {
	signals := fixture(t, "signals")
	for _, what := range []string{"all", "storm", "storm-eintr", "traps", "filters", "foreign", "stopped", "disturbed", "noticed", "computed"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			compare(t, func(t *testing.T, w *way) string {
				argv := w.command(signals, what)
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Dir = t.TempDir()
				return start(t, cmd).wait(t).String()
			})
		})
	}
}

// TestDisturbed: signals that a process does not notice end no call of it, recorded
// or not, and those that the first one of a pid namespace does not notice are more.
func TestDisturbed(t *testing.T) {
	t.Parallel()
	signals := fixture(t, "signals")
	for name, init := range map[string]bool{"not recorded": false, "PID 1": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, func(t *testing.T, w *way) string {
				w.options = []string{"-e", "exec"}
				cmd := exec.Command("env", w.command(signals, "disturbed")...)
				if init {
					cmd = asInit(t, w.command(signals, "disturbed"))
				}
				return start(t, cmd).wait(t).String()
			})
		})
	}
	for _, what := range []string{"afterstop", "noticed"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			compare(t, func(t *testing.T, w *way) string {
				w.options = []string{"-e", "exec"}
				return w.run(t, signals, what).String()
			})
		})
	}
	t.Run("32 bits", func(t *testing.T) {
		t.Parallel()
		narrow := narrowFixture(t, "signals")
		compare(t, func(t *testing.T, w *way) string {
			w.options = []string{"-e", "exec"}
			return w.run(t, narrow, "disturbed").String() + w.run(t, narrow, "noticed").String()
		})
	})
	t.Run("computed without a filter", func(t *testing.T) {
		t.Parallel()
		compare(t, func(t *testing.T, w *way) string {
			w.every = true
			return w.run(t, signals, "computed").String()
		})
	})
	t.Run("PID 1 without a filter", func(t *testing.T) {
		t.Parallel()
		compare(t, func(t *testing.T, w *way) string {
			w.every = true
			return start(t, asInit(t, w.command(signals, "disturbed"))).wait(t).String()
		})
	})
}

// TestRestarts: a call that signals cut short is one call (P14).
func TestRestarts(t *testing.T) {
	t.Parallel()
	restart := fixture(t, "restart")
	compare(t, func(t *testing.T, w *way) string {
		argv := w.command(restart)
		p := start(t, exec.Command(argv[0], argv[1:]...))
		out := p.wait(t).String()
		if w.reader == nil {
			return out
		}
		// The calls of the command itself, in the order of their ends.
		records := slices.DeleteFunc(slices.Clone(w.reader.done(t)), func(r record) bool { return r.tid() != p.pid() })
		for call, want := range map[string][]int64{
			"read":      {-4, 1, 1},
			"nanosleep": {-4, 0},
			"poll":      {-4},
		} {
			enters := count(records, func(r *record) bool { return !r.exit && r.call == call })
			got := results(records, call)
			if call == "poll" && enters == 0 {
				call = "ppoll" // arm64 has no other
				enters = count(records, func(r *record) bool { return !r.exit && r.call == call })
				got = results(records, call)
			}
			if call == "nanosleep" && enters == 0 {
				call = "clock_nanosleep" // as newer C libraries do it
				enters = count(records, func(r *record) bool { return !r.exit && r.call == call })
				got = results(records, call)
				want = make([]int64, len(want)) // a generic event has no result
			}
			if diff := cmp.Diff(want, got); diff != "" || enters != len(want) {
				t.Errorf("%s: %d entries, results want (-), got (+):\n%s", call, enters, diff)
			}
		}
		if n := count(records, func(r *record) bool { return r.call == "restart_syscall" }); n != 0 {
			t.Errorf("%d events of restart_syscall", n)
		}
		if n := count(records, func(r *record) bool { return r.call == "getppid" && !r.exit }); n != 4 {
			t.Errorf("%d calls of the handler, want 4", n)
		}
		return out
	})
}

// TestGoProgram runs a Go program that is preempted by signals all the time,
// and that starts others (P18: SIGURG).
func TestGoProgram(t *testing.T) {
	t.Parallel()
	program := goFixture(t, "preempted")
	compare(t, func(t *testing.T, w *way) string {
		r := w.run(t, program)
		if r.status == 0 && !strings.Contains(r.stdout, "sum ") {
			t.Errorf("got %s", r)
		}
		return r.String()
	})
}
