package integration

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// limited runs a command under a limit that a shell sets.
func limited(t *testing.T, limit string, argv ...string) result {
	t.Helper()
	return runCommand(t, append([]string{"/bin/sh", "-c", "ulimit " + limit + ` && exec "$@"`, "sh"}, argv...)...)
}

// worksOrSays wants a command to do its work, or to refuse with one line.
func worksOrSays(t *testing.T, got result, name, out string, refusal int) {
	t.Helper()
	works := got.status == 0 && got.stdout == out
	says := got.status.ExitStatus() == refusal && strings.HasPrefix(got.stderr, name) && strings.Count(got.stderr, "\n") == 1
	if !works && !says {
		t.Errorf("got status %#x, %q, %.300q", got.status, got.stdout, got.stderr)
	}
}

// TestSmallLimits: what the runtime of Go needs more of than there is, is told
// in a line, and not in pages.
func TestSmallLimits(t *testing.T) {
	prefix := ring(t)
	for _, limit := range []string{"-v 30000", "-v 60000", "-v 100000", "-v 400000", "-v 700000", "-d 1000", "-d 5000", "-d 20000", "-d 40000", "-s 16", "-s 64"} {
		t.Run("pdig "+limit, func(t *testing.T) {
			worksOrSays(t, limited(t, limit, pdigPath, "--ring", prefix, "--", "/bin/echo", "here"), "pdig: ", "here\n", 125)
		})
	}
	for n := 3; n <= 24; n++ {
		limit := fmt.Sprintf("-n %d", n)
		t.Run(limit, func(t *testing.T) {
			worksOrSays(t, limited(t, limit, pdigPath, "--ring", prefix, "--", "/bin/echo", "here"), "pdig: ", "here\n", 125)
			got := limited(t, limit, sensorPath, "-o", "/dev/null", "--", "/bin/echo", "here")
			if n < 8 && got.status.ExitStatus() == 2 && strings.HasPrefix(got.stderr, "runtime: ") {
				return // the runtime itself has not enough of them
			}
			if got.status == 0 {
				got.stderr = ""
			}
			worksOrSays(t, got, "sensor: ", "here\n", 1)
		})
	}
}

// TestFewProcesses is the same for the limit of processes, which holds for
// others than root.
func TestFewProcesses(t *testing.T) {
	root(t)
	dir := dirOf(t, nobody)
	program := copyProgram(t, pdigPath, filepath.Join(dir, "pdig"))
	for n := 1; n <= 16; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var stdout, stderr strings.Builder
			// The shell of the test has the limit as -p, others as -u.
			cmd := exec.Command("/bin/sh", "-c", `ulimit -p "$0" 2>/dev/null || ulimit -u "$0"; exec "$@"`,
				fmt.Sprint(n), program, "--ring", filepath.Join(dir, "r"), "--", "/bin/echo", "here")
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			_ = cmd.Run() // the status is looked at
			worksOrSays(t, result{stdout.String(), stderr.String(), cmd.ProcessState.Sys().(syscall.WaitStatus)}, "pdig: ", "here\n", 125)
		})
	}
}

// TestLimitsOfCommand: the tracer raises its own limits as far as it may, and
// the command keeps what it had.
func TestLimitsOfCommand(t *testing.T) {
	prefix := ring(t)
	for _, row := range []struct {
		option   string
		resource int
		value    string
	}{
		{"v", unix.RLIMIT_AS, "100000"},
		{"d", unix.RLIMIT_DATA, "5000"},
		{"n", unix.RLIMIT_NOFILE, "24"},
		{"n", unix.RLIMIT_NOFILE, "5"},
		{"s", unix.RLIMIT_STACK, "100"},
	} {
		t.Run(row.option+" "+row.value, func(t *testing.T) {
			var limit unix.Rlimit
			if err := unix.Getrlimit(row.resource, &limit); err != nil {
				t.Fatal(err)
			}
			if limit.Max < 1<<30 && row.resource != unix.RLIMIT_NOFILE {
				t.Skipf("needs CAP_SYS_RESOURCE to raise the hard limit of %d (ulimit -H%s)", limit.Max, row.option)
			}
			show := "ulimit -S" + row.option + "; ulimit -H" + row.option
			native := limited(t, "-S"+row.option+" "+row.value, "/bin/sh", "-c", show)
			traced := limited(t, "-S"+row.option+" "+row.value, pdigPath, "--ring", prefix, "--", "/bin/sh", "-c", show)
			if traced != native || !strings.HasPrefix(traced.stdout, row.value+"\n") {
				t.Errorf("got %+v, natively %+v", traced, native)
			}
		})
	}
}

// TestWithoutProc: the sensor finds its pdig where /proc does not tell it who
// it is.
func TestWithoutProc(t *testing.T) {
	ownSharedMemory(t)
	if err := unix.Mount("tmpfs", "/proc", "tmpfs", 0, ""); err != nil {
		t.Fatalf("mount /proc: %v", err)
	}
	bin := filepath.Dir(sensorPath)
	for name, row := range map[string]struct{ dir, path, sensor string }{
		"absolute": {"/", "/usr/bin:/bin", sensorPath},
		"relative": {filepath.Dir(bin), "/usr/bin:/bin", filepath.Base(bin) + "/sensor"},
		"in PATH":  {"/", bin + ":/usr/bin:/bin", "sensor"},
	} {
		got := runCommand(t, "/bin/sh", "-c", `cd "$1" && PATH=$2 && exec "$3" -q -- echo here`, "sh", row.dir, row.path, row.sensor)
		if got.status != 0 || got.stdout != "here\n" {
			t.Errorf("%s: got status %#x, %q, %q", name, got.status, got.stdout, got.stderr)
		}
	}
}
