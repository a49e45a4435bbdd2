package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestChangedUser: root without CAP_SYS_PTRACE, as in a container, traces a program
// that gives up its user, makes children and executes others.
func TestChangedUser(t *testing.T) {
	needRoot(t)
	program := fixture(t, "container")
	needProgram(t, "setpriv")
	want := runCommand(t, program, "work", program)
	events := filepath.Join(t.TempDir(), "events")
	got := runCommand(t, "setpriv", "--bounding-set", "-sys_ptrace", sensorPath, "-o", events, "--", program, "work", program)
	if got.stdout != want.stdout || got.status != want.status {
		t.Errorf("got %s, want %s", got, want)
	}
	checkWork(t, events, true)
}

// checkWork holds the events of the fixture that works in a container to what it
// does. blind is that its memory is out of reach where it has changed its user and
// then made a child: until that executes a program, nothing reads the names of it.
func checkWork(t *testing.T, events string, blind bool) {
	t.Helper()
	text, err := os.ReadFile(events)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, name := range []string{"start", "dropped", "vforked", "forked", "grandchild", "executed"} {
		want := "><"
		if blind && name == "forked" {
			want = ""
		}
		if h := halvesIn(lines, "openat", "name=/none/"+name); h != want {
			t.Errorf("halves of the open of /none/%s: %q, want %q", name, h, want)
		}
	}
	if h := halvesIn(lines, "connect", "addr=/none/socket"); h != ">" {
		t.Errorf("halves of connect: %q, want those with the address", h)
	}
	for _, args := range []string{"work.", "open./none/grandchild.", "open./none/executed."} {
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(line, " < execve res=0 ") && strings.Contains(line, " args="+args) && !strings.Contains(line, " env= ")
		}) {
			t.Errorf("no exec with the arguments %s and an environment", args)
		}
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}

// halvesIn is which halves of a call there are, among lines of the sensor, with a
// parameter.
func halvesIn(lines []string, call, param string) (found string) {
	for _, half := range []string{">", "<"} {
		if slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(line, " "+half+" "+call+" ") && strings.Contains(line, " "+param+" ")
		}) {
			found += half
		}
	}
	return found
}
