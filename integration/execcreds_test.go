package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
