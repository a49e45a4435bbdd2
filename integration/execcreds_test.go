package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestExecCreds holds user and capabilities of the event of an exec against what
// the program reads of itself.
func TestExecCreds(t *testing.T) {
	root(t)
	for name, change := range map[string]string{
		"as it is":     "",
		"another user": "setpriv --reuid 65534 --regid 65534 --clear-groups",
		"fewer rights": "setpriv --bounding-set -sys_admin,-net_raw,-checkpoint_restore",
		"inheritable":  "setpriv --inh-caps +net_raw,+kill",
		"user space":   "unshare --user",
		"pid space":    "unshare --pid --fork --mount-proc",
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "events")
			argv := append([]string{sensorPath, "-o", out, "-p",
				"%evt.rawarg.uid %evt.rawarg.cap_inheritable %evt.rawarg.cap_permitted %evt.rawarg.cap_effective",
				"evt.type=execve and evt.dir=< and evt.arg.exe=cat", "--"}, strings.Fields(change)...)
			got := runCommand(t, append(argv, "cat", "/proc/self/status")...)
			if got.status != 0 {
				t.Fatalf("status %#x: %s", got.status, got.stderr)
			}
			field := func(name string) string {
				m := regexp.MustCompile(`(?m)^` + name + `:\s+(\S+)`).FindStringSubmatch(got.stdout)
				if m == nil {
					t.Fatalf("no %s in %q", name, got.stdout)
				}
				return m[1]
			}
			want := field("Uid")
			if name == "user space" {
				want = fmt.Sprint(os.Getuid()) // as the tracer sees it
			}
			for _, set := range []string{"CapInh", "CapPrm", "CapEff"} {
				n, err := strconv.ParseUint(field(set), 16, 64)
				if err != nil {
					t.Fatal(err)
				}
				want += fmt.Sprintf(" %X", n) // as sysdig shows bits
			}
			events, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(events)), "\n")
			if last := lines[len(lines)-1]; last != want {
				t.Errorf("got %q, want %q", last, want)
			}
		})
	}
}

// TestWritableProgram holds whether the file of an exec may be changed against what the
// program says that executes it, in user namespaces too, where capabilities count only for
// files of their own users.
func TestWritableProgram(t *testing.T) {
	root(t)
	const user = 4711
	dir := dirOf(t, user)
	copyProgram(t, pdigPath, filepath.Join(dir, "pdig"))
	sensor := copyProgram(t, sensorPath, filepath.Join(dir, "sensor"))
	its := copyProgram(t, needProgram(t, "true"), filepath.Join(dir, "its"))
	roots := copyProgram(t, needProgram(t, "true"), filepath.Join(dir, "roots"))
	if err := os.Chown(its, user, user); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(roots, 0, 0); err != nil {
		t.Fatal(err)
	}
	change := []string{"setpriv", "--reuid", fmt.Sprint(user), "--regid", fmt.Sprint(user), "--clear-groups"}
	space := []string{"unshare", "--user", "--map-root-user"}
	for _, c := range []struct {
		name            string
		tracer, program []string
	}{
		{"root", nil, nil},
		{"user", nil, change},
		{"space of root", nil, space},
		{"space of a user", nil, slices.Concat(change, space)},
		{"tracer in the space of a user", slices.Concat(change, space), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			const script = `for f; do w=false; test -w "$f" && w=true; echo "$f $w"; "$f"; done`
			argv := slices.Concat(c.tracer, []string{sensor, "-p", "%proc.exepath %proc.is_exe_writable",
				"evt.type = execve and evt.dir = < and evt.rawres = 0 and proc.name in (its, roots)", "--"}, c.program, []string{"sh", "-c", script, "sh", its, roots})
			got := runCommand(t, argv...)
			events, _, _ := strings.Cut(got.stderr, "events:")
			if got.status != 0 || events != got.stdout {
				t.Errorf("status %#x, got %s, want %s", got.status, events, got.stdout)
			}
		})
	}
}
