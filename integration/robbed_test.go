package integration

import (
	"strconv"
	"strings"
	"testing"
)

// TestRobbed: a signal that a process ignores ends no call of one thread with EINTR
// when another thread has taken it. The kernel lets more of these through than none
// when signals come in a row; without help most of them end a call.
func TestRobbed(t *testing.T) {
	t.Parallel()
	r := runCommand(t, pdigPath, "--ring", ring(t), "--seccomp", "never", "--", fixture(t, "robbed"))
	first, _, _ := strings.Cut(r.String(), "\n")
	ends, err := strconv.Atoi(first)
	if err != nil || ends > 50 || r.status.ExitStatus() != 0 {
		t.Errorf("got %s, want at most 50 of 1000", r)
	}
}
