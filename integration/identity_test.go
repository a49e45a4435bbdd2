package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestReusedNumber: a process that gets the number of another one has nothing else
// of it (K6).
func TestReusedNumber(t *testing.T) {
	t.Parallel()
	program := fixture(t, "reuse")
	other := copyProgram(t, program, filepath.Join(t.TempDir(), "other"))
	said, lines := sensed(t, t.TempDir(), "%proc.pid %proc.exepath %proc.exe", "evt.rawarg.name startswith /reuse and evt.dir = <", program, other)
	if strings.HasPrefix(said, "clone3: ") {
		t.Skipf("nobody may choose a number (CAP_CHECKPOINT_RESTORE): %s", said)
	}
	var first, second int
	if _, err := fmt.Sscan(said, &first, &second); err != nil || first != second {
		t.Fatalf("got %q", said)
	}
	want := []string{fmt.Sprintf("%d %s other", first, other), fmt.Sprintf("%d %s %s", first, program, program)}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got %s\nwant %s", got, strings.Join(want, "\n"))
	}
}

// TestParentOfOrphan: an orphan is a child of who has taken it (K6).
func TestParentOfOrphan(t *testing.T) {
	t.Parallel()
	_, lines := sensed(t, t.TempDir(), "*%evt.type %proc.pid %proc.ppid", "evt.type = execve and evt.dir = < or evt.rawarg.name startswith /evaded and evt.dir = <",
		fixture(t, "evade"), "orphan")
	var command, orphan, front, parent int
	text := strings.Join(lines, "\n")
	if _, err := fmt.Sscanf(text, "execve %d %d\nopenat %d %d", &command, &front, &orphan, &parent); err != nil || orphan == command || parent != command {
		t.Errorf("got %s (%v): the subreaper is %d", text, err, command)
	}
}
