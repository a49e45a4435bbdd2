package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHiddenProgram: the memory of a program that may be executed, but not read, is
// hidden from a tracer without rights. Its arguments are there for everybody.
func TestHiddenProgram(t *testing.T) {
	root(t)
	dir := dirOf(t, 0)
	copyProgram(t, pdigPath, filepath.Join(dir, "pdig"))
	sensor := copyProgram(t, sensorPath, filepath.Join(dir, "sensor"))
	hidden := copyProgram(t, "/bin/echo", filepath.Join(dir, "hidden"))
	if err := os.Chmod(hidden, 0o111); err != nil {
		t.Fatal(err)
	}
	out, err := asNobody(sensor, "-p", "%evt.type %evt.dir %evt.arg.exe %evt.arg.args", "--", hidden, "one", "two").CombinedOutput()
	if want := "execve < " + hidden + " one"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("want %q: %v\n%s", want, err, out)
	}
}
