package tracer

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
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

// TestSearchPause: who enters is found soon on a machine, too, that is so busy that a
// search is interrupted for long.
func TestSearchPause(t *testing.T) {
	for _, row := range []struct{ taken, want time.Duration }{
		{0, searchPause},
		{time.Millisecond, searchShare * time.Millisecond},
		{time.Second, searchMost},
	} {
		if got := pauseAfter(row.taken); got != row.want {
			t.Errorf("after %v: got %v, want %v", row.taken, got, row.want)
		}
	}
	const away = 300 * time.Millisecond
	if got := processorTime(func() { time.Sleep(away) }); got >= away/2 {
		t.Errorf("%v of a processor in which nothing was done", got)
	}
	busy := processorTime(func() {
		for begin := time.Now(); time.Since(begin) < away; {
		}
	})
	if busy <= 0 || busy > 2*away {
		t.Errorf("%v of a processor in %v", busy, away)
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
