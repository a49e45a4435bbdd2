package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFilterBrings: a call that a filter looks for is recorded for it (E10).
func TestFilterBrings(t *testing.T) {
	t.Parallel()
	const program = "import os; os.lseek(os.open('/dev/null', os.O_RDONLY), 0, 0); os.getppid(); os.uname()"
	python := needProgram(t, "python3")
	for filter, want := range map[string][]string{
		"evt.type in (lseek, getppid)":         {"getppid", "lseek"},
		"not evt.type != uname":                {"uname"},
		"proc.name = none or evt.type = uname": {"uname"},
		"evt.type != lseek":                    {"execve", "openat", "close"}, // what is recorded anyway
	} {
		r := runCommand(t, sensorPath, "-p", "%evt.type", filter, "--", python, "-c", program)
		if r.status != 0 {
			t.Fatalf("got %s", r)
		}
		for _, name := range []string{"lseek", "getppid", "uname", "execve", "openat", "close", "read"} {
			if got := strings.Contains("\n"+r.stderr, "\n"+name+"\n"); got != slices.Contains(want, name) {
				t.Errorf("%s: events of %s: %v", filter, name, got)
			}
		}
	}
}

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
