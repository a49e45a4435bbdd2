package integration

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// TestWaitsForClones has a command wait as only tracers do, so that it sees its
// own, until it has no child left.
func TestWaitsForClones(t *testing.T) {
	t.Parallel()
	program := fixture(t, "childless")
	compare(t, func(t *testing.T, w *way) string { return w.run(t, program).String() })
}

// TestStrace is refused what is traced already, and ends.
func TestStrace(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, pdigPath, "--ring", ring(t), "-e", "exec", "--", strace, "-o", "/dev/null", "true").CombinedOutput()
	if ctx.Err() != nil || err == nil {
		t.Errorf("strace: %v (%v), printed %q, want an error status", err, ctx.Err(), out)
	}
}
