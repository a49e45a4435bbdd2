package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// The filters of testdata/neighbours.c. Those that outrank the filter of pdig, and
// refuse the call, hide from it what was not carried out.
var (
	neighbours = []string{"allow", "log", "trace", "errno", "trap", "thread", "process", "continue", "emulate"}
	outranking = []string{"errno", "trap", "thread", "process"}
	listening  = []string{"continue", "emulate"}
)

// opens wants one enter half of the open below each filter but those of but.
func opens(t *testing.T, records []record, but ...string) {
	t.Helper()
	hidden := " " + strings.Join(but, " ") + " "
	for _, name := range neighbours {
		path := []byte("/neighbour/" + name + "\x00")
		got := count(records, func(r *record) bool { return !r.exit && r.call == "openat" && bytes.Contains(r.Bytes(), path) })
		want := 1
		if strings.Contains(hidden, " "+name+" ") {
			want = 0
		}
		if got != want {
			t.Errorf("%d opens below the filter %q are recorded, want %d", got, name, want)
		}
		if name == "trap" { // it was not carried out
			got := count(records, func(r *record) bool {
				return r.exit && r.call == "openat" && bytes.Contains(r.Bytes(), path) && r.ret == -int64(unix.EPERM)
			})
			if got != want {
				t.Errorf("%d opens that SIGSYS has answered are recorded as refused, want %d", got, want)
			}
		}
	}
}

// refusedListeners is native, the output of neighbours.c, with both filters that
// have a listener refused.
func refusedListeners(native string) string {
	for _, name := range listening {
		native = strings.Replace(native, name+": asked for call openat\n", name+": refused, EBUSY\n", 1)
	}
	return strings.Replace(native, "emulate: 4242\n", "emulate: 2\n", 1)
}

// TestNeighbourFilters: filters of the command work as they do natively; those that
// could hide calls are refused, and the refusal is recorded (P10).
func TestNeighbourFilters(t *testing.T) {
	t.Parallel()
	program := fixture(t, "neighbours")
	native := runCommand(t, program).String()
	if !strings.Contains(native, "emulate: 4242\n") {
		t.Fatalf("natively: %s", native)
	}
	for _, tt := range []struct {
		name string
		how  func(w *way) []string
		want string
		hide []string
	}{
		{"filter", func(w *way) []string { return w.command(program) }, refusedListeners(native), outranking},
		{"no filter", func(w *way) []string { w.every = true; return w.command(program) }, native, nil},
		// The command has no descriptor free for a listener.
		{"filter without a listener", func(w *way) []string {
			return append([]string{"sh", "-c", `ulimit -Sn 3; exec "$@"`, "sh"}, w.command(program)...)
		}, refusedListeners(native), outranking},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := readWay(t)
			argv := tt.how(w)
			got := start(t, exec.Command(argv[0], argv[1:]...)).wait(t).String()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			w.reader.everybody(t)
			records := w.reader.done(t)
			checkRecords(t, records)
			opens(t, records, tt.hide...)
			refusals := 0
			if tt.want != native {
				refusals = len(listening)
			}
			busy := func(r *record) bool { return r.call == "seccomp" && r.ret == -int64(unix.EBUSY) }
			if n := count(records, busy); n != refusals {
				t.Errorf("%d refused filters are recorded, want %d", n, refusals)
			}
		})
	}
	t.Run("not selected", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		script := `ulimit -Sn 3; exec "$0" --ring "$1" --log-level info --log-file "$2" -e openat -- "$3"`
		got := runCommand(t, "sh", "-c", script, pdigPath, ring(t), log, program).String()
		if diff := cmp.Diff(refusedListeners(native), got); diff != "" {
			t.Errorf("want (-), got (+):\n%s", diff)
		}
		if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "no place for a listener") {
			t.Errorf("a listener was there: %v\n%s", err, text)
		}
	})
}

// TestNeighbourFiltersAttached: where pdig has attached, without a filter, all of them
// work, and none hides a call, whether it was there before or came after.
func TestNeighbourFiltersAttached(t *testing.T) {
	t.Parallel()
	program := fixture(t, "neighbours")
	for _, when := range []string{"wait", "installed"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			want := startTarget(t, program, when).finish(t)
			w := readWay(t)
			g := startTarget(t, program, when)
			p := w.startAttach(t, []string{"-P", strconv.Itoa(g.pid())}, g.pid())
			if diff := cmp.Diff(want, g.finish(t)); diff != "" {
				t.Errorf("native (-), traced (+):\n%s", diff)
			}
			if r := p.wait(t); r.String() != "status 0x0\n" {
				t.Errorf("got %s", r)
			}
			opens(t, w.reader.done(t))
		})
	}
}

// TestForeignTrace: a program's own filter that asks for a tracer has none, whichever
// number it gives its stops (K4).
func TestForeignTrace(t *testing.T) {
	t.Parallel()
	program := fixture(t, "signals")
	compare(t, func(t *testing.T, w *way) string {
		argv := w.command(program, "filters")
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = t.TempDir()
		got := start(t, cmd).wait(t).String()
		if want := fmt.Sprintf("traced -1 %d\n", unix.ENOSYS); strings.Count(got, want) != 3 {
			t.Errorf("want 3 times %q, got %s", want, got)
		}
		return got
	})
}
