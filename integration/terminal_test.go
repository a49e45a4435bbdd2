package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestTerminalColours wants colours on a terminal only, and only where they are
// wanted.
func TestTerminalColours(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "capture")
	runCommand(t, sensorPath, "-w", file, "--", "/bin/cat", "/nowhere")
	args := []string{"-r", file, "evt.type=openat", "and", "evt.arg.name=/nowhere", "or", "evt.type=execve"}
	const red, bold = "\x1b[1;31m", "\x1b[1m"
	for _, row := range []struct {
		env  string
		want bool
	}{{"TERM=xterm", true}, {"TERM=dumb", false}, {"NO_COLOR=1", false}} {
		term := openTerminal(t, []string{"TERM=xterm", row.env}, append([]string{sensorPath}, args...)...)
		term.expect("delivered")
		exited(t, term.process.wait(t), 0)
		text := term.all()
		if got := strings.Contains(text, red+"openat") && strings.Contains(text, bold+"execve"); got != row.want {
			t.Errorf("%s: got colours %v in %q, want %v", row.env, got, text, row.want)
		}
		if strings.Contains(text, "\x1b") != row.want {
			t.Errorf("%s: got %q", row.env, text)
		}
	}
	if r := runCommand(t, append([]string{sensorPath}, args...)...); strings.Contains(r.stdout, "\x1b") {
		t.Errorf("in a pipe: got %q", r.stdout)
	}
}
