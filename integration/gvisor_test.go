package integration

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var runsc = flag.String("runsc", "", "the `program` runsc of gVisor, to run containers below another kernel than Linux: see make gvisor")

// TestGVisor: gVisor has no PTRACE_GET_SYSCALL_INFO, and stops once more at the entry of a
// call behind the stop of a filter. A command ends there as it does without us, and what it
// does is told with its results.
func TestGVisor(t *testing.T) {
	if *runsc == "" {
		t.Skip("needs the kernel of gVisor: -runsc, make gvisor")
	}
	needContainers(t)
	tool := []string{*runsc, "--platform=systrap", "--ignore-cgroups", "--network=none"}
	script := []string{"sh", "-c", "trap 'echo signal' USR1; cat /none; (cd /etc; cat passwd | wc -l); kill -USR1 $$; readlink /proc/self/exe; exit 7"}
	for _, user := range []containerUser{asRoot, asConfined} {
		t.Run(user.name, func(t *testing.T) {
			native := (&container{user: user, tool: tool}).run(t, script...)
			if native.status.ExitStatus() == 128 || native.stdout == "" {
				t.Fatalf("no container: %s", native)
			}
			for _, front := range [][]string{
				{"falco-trace", "run", "-o", "/out/events", "--"},
				{"sensor", "-o", "/out/events", "--"},
			} {
				t.Run(front[0], func(t *testing.T) {
					c := &container{user: user, tool: tool}
					got := c.run(t, append(front, script...)...)
					if got.stdout != native.stdout || got.status != native.status || front[0] == "falco-trace" && got.stderr != native.stderr {
						t.Errorf("got %s, want %s", got, native)
					}
					events, err := os.ReadFile(filepath.Join(c.out, "events"))
					if err != nil {
						t.Fatal(err)
					}
					for _, want := range []string{
						"< execve res=0 exe=sh ", "< execve res=0 exe=cat args=/none. ",
						"< openat fd=-2(ENOENT) dirfd=-100(AT_FDCWD) name=/none ",
						"< openat fd=3(<f>/etc/passwd) ",
						"> kill pid=", "> procexit status=1792 ret=7 ",
					} {
						if !strings.Contains(string(events), want) {
							t.Errorf("no event has %q:\n%s", want, events)
						}
					}
					if strings.Contains(string(events), "(ENOSYS)") {
						t.Errorf("calls are told as unknown to the kernel:\n%.2000s", events)
					}
				})
			}
		})
	}
}
