package tracer

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

// TestJudge: who has come from outside is found, but not what the tracer has started: a
// sensor that is started again does not read yet when it is met.
func TestJudge(t *testing.T) {
	child := startChild(t)
	for _, row := range []struct {
		who  string
		pid  int
		want bool // it is found
	}{{"a process that the tracer has started", child, false}, {"another one", os.Getppid(), true}} {
		n := &newcomers{tracer: os.Getpid(), reader: func() int { return 0 }, found: make(chan newcomer, maxFound)}
		settled := n.judge(row.pid, &known{})
		if got := len(n.found) > 0; got != row.want || settled == row.want {
			t.Errorf("%s: found %v, settled %v", row.who, got, settled)
		}
	}
}

// TestDescendants: neither the tracer nor what it has started is below its parent.
func TestDescendants(t *testing.T) {
	child := startChild(t)
	list := new(Tracer).descendants(os.Getppid())
	if slices.Contains(list, os.Getpid()) || slices.Contains(list, child) {
		t.Errorf("got %d, with %d or %d", list, os.Getpid(), child)
	}
	if list := new(Tracer).descendants(os.Getpid()); !slices.Contains(list, child) {
		t.Errorf("got %d, without %d", list, child)
	}
}

// startChild starts a process, and returns its number.
func startChild(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}
