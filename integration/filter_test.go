package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilter wants the events of a command that fulfil a condition, in a format
// of the user, and no others.
func TestFilter(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "with blank")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		options []string
		want    []string
	}{
		// From the open to the close the descriptor has its name.
		{[]string{"-p", "%evt.dir %evt.type %fd.filename", "fd.name", "=", `"` + file + `"`, "and", "evt.type", "in", "(openat,close)"},
			[]string{"< openat with blank", "> close with blank", "< close with blank"}},
		{[]string{"-p", "%proc.name|%proc.cmdline|%evt.res", "evt.type=execve and evt.dir=<"},
			[]string{"cat|cat " + file + " " + dir + "/none|SUCCESS"}},
		{[]string{"-p", "%evt.type %evt.rawres %fd.name", "evt.rawres", "<", "-1", "and", "fd.name", "endswith", "/none"},
			[]string{"openat -2 " + dir + "/none"}},
		{[]string{"-n", "2", "-p", "%evt.type %fd.num", "fd.filename='with blank'"},
			[]string{"openat 3", "close 3"}},
		{[]string{"-p", "%evt.num", "proc.name=dog"}, nil},
	} {
		out := filepath.Join(dir, "events")
		args := append([]string{sensorPath, "-o", out}, row.options...)
		got := runCommand(t, append(args, "--", "cat", file, dir+"/none")...)
		if got.stdout != "content" || got.status>>8 != 1 {
			t.Errorf("%q: the command got status %#x, stdout %q, stderr %q", row.options, got.status, got.stdout, got.stderr)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(append(row.want, ""), "\n"); string(b) != want {
			t.Errorf("%q: got\n%swant\n%s", row.options, b, want)
		}
	}
}
