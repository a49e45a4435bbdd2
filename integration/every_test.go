package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// everyWay is a traced way with a reader and without a filter.
func everyWay(t *testing.T) *way {
	t.Helper()
	w := readWay(t)
	w.every = true
	return w
}

// TestEveryCall: a command without a filter behaves as it natively does, and its
// records are those that it has with one. P15: an exec, or a filter of the command's
// own, does not mix up the stops at the two ends of a call.
func TestEveryCall(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{
		{fixture(t, "restart")},
		{fixture(t, "life"), "deaths"},
		{fixture(t, "life"), "storm", "vforkexec", "20"},
		{fixture(t, "life"), "storm", "untraced3", "20"},
		{fixture(t, "threads"), "exec", "20"},
		{fixture(t, "threads"), "joined", "20", "5"},
		{fixture(t, "signals"), "all"},
		{fixture(t, "signals"), "filters"},
		{fixture(t, "signals"), "foreign"},
		{fixture(t, "signals"), "disturbed"},
		{fixture(t, "signals"), "stopped"},
		{"sh", "-c", "ls /none; (exit 3) | cat; kill -TERM $$"},
	} {
		name := strings.Join(append([]string{argv[0][strings.LastIndexByte(argv[0], '/')+1:]}, argv[1:]...), " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			run := func(w *way) string {
				argv := w.command(argv...)
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Dir = dir
				return start(t, cmd).wait(t).String()
			}
			w := everyWay(t)
			if diff := cmp.Diff(run(&way{}), run(w)); diff != "" {
				t.Errorf("native (-), traced (+):\n%s", diff)
			}
			w.reader.everybody(t)
			checkRecords(t, w.reader.done(t))
		})
	}
}

// TestEveryCallNotStarted: the statuses of a command that does not come to be.
func TestEveryCallNotStarted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"/no/such": 127, "/etc/passwd": 126, "/": 126} {
		w := everyWay(t)
		if r := w.run(t, name); r.status.ExitStatus() != want || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: got %s, want %d", name, r, want)
		}
		w.reader.done(t)
	}
}

// TestEveryCallOutlives: without a filter (P24: none is installed then) the command
// outlives its tracer.
func TestEveryCallOutlives(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{{"gentle", "10"}, {"signals"}} {
		w := everyWay(t)
		g := startTarget(t, w.command(append([]string{fixture(t, "attach")}, argv...)...)...)
		w.reader.manyMore(t)
		if got := statusField(g.pid(), "Seccomp"); got != statusField(unix.Getpid(), "Seccomp") {
			t.Errorf("Seccomp is %s", got)
		}
		tracer := tracerOf(g.pid())
		if err := unix.Kill(tracer, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of the tracer", func() bool { return over(tracer) })
		untraced(t, g.pid())
		if got := g.finish(t); !strings.HasSuffix(got, "\nstatus 0x0\n") || strings.Contains(got, ":") {
			t.Errorf("got %s", got)
		}
	}
}
