package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFlightRecorder has the newest events of a command that crashes, and those
// of a moment at which it was asked for them.
func TestFlightRecorder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "f")
	// What was asked for holds what the sensor has read by then, behind the processes
	// that there are, which alone may be a lot.
	script := `for i in $(seq 100); do : $(echo $i); done; n=0
		until [ $n -gt 1 ] && [ $(stat -c %s ` + file + `.$n) -gt $(($(stat -c %s ` + file + `.1) + 65536)) ]; do
			n=$((n + 1)); kill -USR2 $PPID; until [ -s ` + file + `.$n ]; do sleep 0.05; done
		done; echo $n; kill -SEGV $$`
	r := runCommand(t, sensorPath, "-A", "-w", file, "--last", "1M", "--", "/bin/sh", "-c", script)
	if !r.status.Signaled() || r.status.Signal() != unix.SIGSEGV {
		t.Fatalf("status %#x, want the command's SIGSEGV: %s", r.status, r.stderr)
	}
	asked := file + "." + strings.TrimSpace(r.stdout)
	for _, name := range []string{file, asked} {
		if st, err := os.Stat(name); err != nil || st.Size() < 1<<16 {
			t.Fatalf("got %v, %v", st, err)
		}
		lines := readCapture(t, sensorPath, name)
		crashed := strings.Contains(lines[len(lines)-1], "> procexit status=11 ret=0 sig=11(SIGSEGV)")
		if crashed != (name == file) {
			t.Errorf("%s ends with %q", filepath.Base(name), lines[len(lines)-1])
		}
		if strings.Contains(strings.Join(lines, "\n"), " <NA> (") {
			t.Errorf("%s has threads without a name", filepath.Base(name))
		}
		sameLines(t, filepath.Base(name), readCapture(t, needSysdig(t), name), lines)
	}
}
