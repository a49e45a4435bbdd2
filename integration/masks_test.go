package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// sameMasks runs testdata/masks.c natively and traced, and wants no difference.
// The words before, if any, are a program that runs pdig, or the program.
func sameMasks(t *testing.T, before []string, args ...string) {
	t.Helper()
	argv := append([]string{fixture(t, "masks")}, args...)
	native := runCommand(t, slices.Concat(before, argv)...)
	if native.status != 0 || native.stdout == "" {
		t.Fatalf("natively: status %#x, %q", native.status, native.stdout)
	}
	for _, level := range []string{"security", "all"} {
		got, _ := traceAs(t, before, append([]string{"-e", level, "--"}, argv...)...)
		if diff := cmp.Diff(native.stdout, got); diff != "" {
			t.Errorf("%s (-native +traced)\n%s", level, diff)
		}
	}
}

// TestMasksLeftBehind: no mask of the tracer's outlives what it was set for.
func TestMasksLeftBehind(t *testing.T) {
	for _, what := range []string{"deadline", "thread", "forks"} {
		t.Run(what, func(t *testing.T) { sameMasks(t, nil, what) })
	}
}

// TestMaskOfOtherUser: where the tracer may not set the mask of another user's
// thread, as root in a container, the thread has its own before it is another's.
func TestMaskOfOtherUser(t *testing.T) {
	root(t)
	sameMasks(t, []string{needProgram(t, "setpriv"), "--bounding-set", "-sys_nice"}, "user")
}

// TestMaskInCpusets: a thread that has never set a mask gets all CPUs of each cpuset
// that it comes to. With one CPU there is but one mask. What is asked of the kernel
// for that is in tracer's TestAskedMask.
func TestMaskInCpusets(t *testing.T) {
	const parent = "/sys/fs/cgroup/cpuset"
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		t.Fatal(err)
	}
	args := []string{"cpuset"}
	for cpu := range len(own) * 64 {
		if !own.IsSet(cpu) {
			continue
		}
		dir, err := os.MkdirTemp(parent, "pdig-test-")
		if err != nil {
			t.Skipf("needs cpusets of its own (cgroup v1, CAP_SYS_ADMIN): %v", err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		for file, list := range map[string]string{"cpuset.mems": "0", "cpuset.cpus": strconv.Itoa(cpu)} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(list), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if args = append(args, filepath.Join(dir, "tasks"), filepath.Join(parent, "tasks")); len(args) > 4 {
			break // two are enough
		}
	}
	sameMasks(t, nil, args...)
}
