package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCapture compares what sysdig and the sensor print of the same captures:
// those that sysdig -u makes over pdig, those that the sensor makes of them, and
// those that it makes of a command, of which it has printed the lines itself.
func TestCapture(t *testing.T) {
	t.Parallel()
	shell := []string{"/bin/sh", "-c", "cd / && cat <etc/passwd >/dev/null; (exec ls -l usr | tr a b) >/dev/null; kill -0 $$; exit 0"}
	for _, program := range []string{"shell", "parity", "oracle-files", "oracle-sockets", "oracle-processes", "oracle-exec"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			sysdig, err := exec.LookPath("sysdig")
			if err != nil {
				t.Skip("no sysdig: apt-get install --no-install-recommends sysdig")
			}
			dir := filepath.Join(t.TempDir(), "d")
			command := shell
			if program != "shell" {
				command = []string{fixture(t, program), "336", dir}
			}
			ownSharedMemory(t)
			files := t.TempDir()
			path := func(name string) string { return filepath.Join(files, name) }

			workplace(t, dir)
			sysdigWrites(t, path("sysdig"), command)
			sameLines(t, "of sysdig", readCapture(t, sysdig, path("sysdig")), readCapture(t, sensorPath, path("sysdig")))

			for _, options := range [][]string{nil, {"-z"}} {
				r := runCommand(t, append([]string{sensorPath, "-r", path("sysdig"), "-w", path("again")}, options...)...)
				if r.status != 0 || r.stdout != "" {
					t.Errorf("sensor -r -w: status %#x, %q, %s", r.status, r.stdout, r.stderr)
				}
				sameLines(t, "written again", readCapture(t, sysdig, path("sysdig")), readCapture(t, sysdig, path("again")))
				if err := os.Remove(path("again")); err != nil {
					t.Fatal(err)
				}
			}

			workplace(t, dir)
			r := runCommand(t, append([]string{sensorPath, "-A", "-w", path("own"), "-o", path("lines"), "--"}, command...)...)
			if r.status != 0 {
				t.Fatalf("sensor -w -- command: status %#x: %s", r.status, r.stderr)
			}
			want := printed(t, path("lines"), r.stderr)
			sameLines(t, "of the sensor, read by it", want, readCapture(t, sensorPath, path("own")))
			sameLines(t, "of the sensor, read by sysdig", want, readCapture(t, sysdig, path("own")))
		})
	}
}

// sysdigWrites has sysdig -u write a capture of a command under pdig.
func sysdigWrites(t *testing.T, file string, command []string) {
	t.Helper()
	s := startSysdigWith(t, "-w", file)
	exited(t, runCommand(t, append([]string{pdigPath, "-e", "all", "--"}, command...)...), 0)
	s.wait("sysdig has read all", func() bool { return descriptor(0, 4) == descriptor(4, 4) })
	if err := s.cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("sysdig: %v", err)
	}
	close(s.ended)
}

// readCapture returns the lines that a program prints of a capture.
func readCapture(t *testing.T, program, file string) []string {
	t.Helper()
	cmd := exec.Command(program, "-r", file)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s -r: %v", filepath.Base(program), err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// longPath is what sysdig cuts or not, depending on what it has printed before.
var longPath = regexp.MustCompile(` name=\S{1000}`)

// sameLines wants the same lines, in the same order.
func sameLines(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) < 10 {
		t.Errorf("capture %s: only %d lines: %q", what, len(want), want)
	}
	if len(want) != len(got) {
		t.Errorf("capture %s: got %d lines, want %d", what, len(got), len(want))
	}
	bad := 0
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] && !longPath.MatchString(got[i]) {
			t.Errorf("capture %s, line %d: %s", what, i, lineDifference(want[i], got[i]))
			if bad++; bad == 5 {
				return
			}
		}
	}
}
