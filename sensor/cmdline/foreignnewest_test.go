//go:build foreign

package cmdline

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newestSysdig names the command of a sysdig 0.41.4, with its first arguments.
const newestSysdig = "SYSDIG_NEWEST"

// runNewest has that sysdig print a capture.
func runNewest(t *testing.T, file string, args ...string) string {
	t.Helper()
	command := strings.Fields(os.Getenv(newestSysdig))
	if len(command) == 0 {
		t.Fatalf("%s is not set", newestSysdig)
	}
	cmd := exec.Command(command[0], append(append(command[1:], "-r", file), args...)...)
	root := t.TempDir()
	cmd.Env = append(os.Environ(), "HOST_ROOT="+root)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return strings.ReplaceAll(string(out), root, "") // it is in the names of pidfds
}

// write writes or compares a golden file.
func checkGolden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(string(want), text); d != "" {
		t.Errorf("%s: sysdig 0.41.4 prints other lines: %s", path, d)
	}
}

// TestForeignNewestGolden measures the lines of testdata/newest.
func TestForeignNewestGolden(t *testing.T) {
	for _, s := range newestScripts(t) {
		t.Run(filepath.Base(s.path), func(t *testing.T) {
			checkGolden(t, s.path, s.with(runNewest(t, s.capture(t), s.args()...)))
		})
	}
	for _, c := range tableCases() {
		t.Run(c.name(), func(t *testing.T) {
			checkGolden(t, c.golden(), runNewest(t, tableScript(t, c.variant, c.enters), "-t", "r"))
		})
	}
}

// TestForeignNewest compares the lines of captures that are not part of the
// repository.
func TestForeignNewest(t *testing.T) {
	captures, _ := filepath.Glob(filepath.Join(os.Getenv(foreignCaptures), "*.scap"))
	if len(captures) == 0 {
		t.Fatalf("no captures in %s=%q", foreignCaptures, os.Getenv(foreignCaptures))
	}
	for _, capture := range captures {
		if d := diff(newestLines(t, capture), runNewest(t, capture)); d != "" {
			t.Errorf("%s: %s", capture, d)
		}
	}
}
