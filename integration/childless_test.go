package integration

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWaitsForClones has a command wait as only tracers do, so that it sees its
// own, until it has no child left (P19: strace below pdig ends so).
func TestWaitsForClones(t *testing.T) {
	t.Parallel()
	program := fixture(t, "childless")
	compare(t, func(t *testing.T, w *way) string { return w.run(t, program).String() })
	// Calls that nobody has asked for stop only by their options.
	t.Run("not selected", func(t *testing.T) {
		want := runCommand(t, program)
		got := runCommand(t, pdigPath, "--ring", ring(t), "-e", "exec", "--", program)
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("native (-), traced (+):\n%s", diff)
		}
	})
}
