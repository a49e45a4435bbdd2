package integration

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWithoutProc: the sensor finds its pdig where /proc does not tell it who
// it is.
func TestWithoutProc(t *testing.T) {
	ownSharedMemory(t)
	if err := unix.Mount("tmpfs", "/proc", "tmpfs", 0, ""); err != nil {
		t.Fatalf("mount /proc: %v", err)
	}
	bin := filepath.Dir(sensorPath)
	for name, row := range map[string]struct{ dir, path, sensor string }{
		"absolute": {"/", "/usr/bin:/bin", sensorPath},
		"relative": {filepath.Dir(bin), "/usr/bin:/bin", "bin/sensor"},
		"in PATH":  {"/", bin + ":/usr/bin:/bin", "sensor"},
	} {
		got := runCommand(t, "/bin/sh", "-c", `cd "$1" && PATH=$2 && exec "$3" -q -- echo here`, "sh", row.dir, row.path, row.sensor)
		if got.status != 0 || got.stdout != "here\n" {
			t.Errorf("%s: got status %#x, %q, %q", name, got.status, got.stdout, got.stderr)
		}
	}
}
