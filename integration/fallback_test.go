package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// refusals are rules for the refuse fixture: what kernels, sandboxes and the
// default profiles of container engines do not have or let nobody do.
var refusals = map[string]string{
	"call info":        rule(unix.SYS_PTRACE, 0, unix.PTRACE_GET_SYSCALL_INFO, unix.EIO),
	"call info, EPERM": rule(unix.SYS_PTRACE, 0, unix.PTRACE_GET_SYSCALL_INFO, unix.EPERM),
	"memory of others": rule(unix.SYS_PROCESS_VM_READV, -1, 0, unix.EPERM),
	"no pidfd":         rule(unix.SYS_PIDFD_GETFD, -1, 0, unix.EPERM),
	"filters":          rule(unix.SYS_SECCOMP, -1, 0, unix.EPERM),
	// As on Linux 4.14 and in gVisor, with a profile of old engines around it.
	"all of them": strings.Join([]string{
		rule(unix.SYS_PTRACE, 0, unix.PTRACE_GET_SYSCALL_INFO, unix.EIO),
		rule(unix.SYS_PROCESS_VM_READV, -1, 0, unix.ENOSYS),
		rule(unix.SYS_PIDFD_OPEN, -1, 0, unix.ENOSYS),
		rule(unix.SYS_PIDFD_GETFD, -1, 0, unix.ENOSYS),
		rule(unix.SYS_SECCOMP, -1, 0, unix.ENOSYS),
	}, "/"),
}

// rule makes a call fail: always if arg is -1, else where that argument is value.
func rule(nr, arg int, value uint32, errno unix.Errno) string {
	return fmt.Sprintf("%d,%d,%d,%d", nr, arg, value, errno)
}

// TestFallbacks: where something is refused commands behave as they do natively
// there, and their records are complete.
func TestFallbacks(t *testing.T) {
	t.Parallel()
	refuse := fixture(t, "refuse")
	for name, rules := range refusals {
		for _, argv := range [][]string{
			{fixture(t, "restart")},
			{fixture(t, "life"), "deaths"},
			{fixture(t, "life"), "storm", "vforkexec", "20"},
			{fixture(t, "life"), "storm", "untraced", "20"},
			{fixture(t, "threads"), "exec", "20"},
			{fixture(t, "signals"), "all"},
			{fixture(t, "signals"), "foreign"},
			{fixture(t, "signals"), "disturbed"},
			{fixture(t, "signals"), "stopped"},
			{"/bin/sh", "-c", "ls /none; (exit 3) | cat; kill -TERM $$"},
		} {
			t.Run(name+"/"+argv[0][strings.LastIndexByte(argv[0], '/')+1:]+strings.Join(argv[1:], " "), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				run := func(w *way) string {
					w.front = []string{refuse, rules}
					argv := w.command(argv...)
					cmd := exec.Command(argv[0], argv[1:]...)
					cmd.Dir = dir
					return start(t, cmd).wait(t).String()
				}
				want := run(&way{})
				for _, w := range []*way{readWay(t), everyWay(t)} {
					if diff := cmp.Diff(want, run(w)); diff != "" {
						t.Errorf("every call %v: native (-), traced (+):\n%s", w.every, diff)
					}
					w.reader.everybody(t)
					checkRecords(t, w.reader.done(t))
				}
			})
		}
	}
}

// TestFallbackOracle: what is told of calls is right where it has to be put
// together from registers, or the memory comes in other ways.
func TestFallbackOracle(t *testing.T) {
	t.Parallel()
	refuse := fixture(t, "refuse")
	for _, what := range []string{"call info", "memory of others"} {
		for _, name := range []string{"oracle-descriptors", "oracle-data", "oracle-names", "oracle-i386"} {
			program := fixture(t, name)
			t.Run(what+"/"+name, func(t *testing.T) {
				t.Parallel()
				said, records := traceAs(t, []string{refuse, refusals[what]}, "--snaplen", "80", "--", program, "newest", t.TempDir(), "80")
				compareMarked(t, said, records)
			})
		}
	}
}

// TestFallbackAttach: a process that runs already is traced where something is
// refused to pdig, and its calls are told from their ends.
func TestFallbackAttach(t *testing.T) {
	t.Parallel()
	refuse := fixture(t, "refuse")
	for name, rules := range refusals {
		for _, what := range []string{"steps", "headless"} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				w := readWay(t)
				w.front = []string{refuse, rules}
				attachSteps(t, w, what)
			})
		}
		t.Run(name+"/signals", func(t *testing.T) {
			t.Parallel()
			w := readWay(t)
			w.front = []string{refuse, rules}
			attachSignals(t, w)
		})
	}
}

// TestOtherUser: a program that was started after a change of user hides its
// memory from a tracer without CAP_SYS_PTRACE, but not its words from ptrace.
func TestOtherUser(t *testing.T) {
	needRoot(t)
	out := filepath.Join(t.TempDir(), "events")
	got := runCommand(t, "setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace",
		sensorPath, "-o", out, "-p", "%fd.name", "proc.name=cat and evt.type=openat and evt.dir=< and evt.failed=true and fd.name endswith /attach/none", "--",
		"setpriv", "--reuid", "65534", "--clear-groups", "/bin/cat", "/attach/none")
	if got.status.ExitStatus() != 1 || got.stdout != "" {
		t.Errorf("got %s", got)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "/attach/none\n" {
		t.Errorf("got %q, %v", b, err)
	}
}
