package integration

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pdig/pdig/event"
)

// TestServedByTracees traces a program that works with files and memory that
// it serves itself, by calls that are traced too: a tracer that waits for these
// waits for ever (K5). What cannot be read when a call begins is told when it ends.
func TestServedByTracees(t *testing.T) {
	t.Parallel()
	program := fixture(t, "slowfiles")
	for _, tt := range []struct {
		name string
		args func(t *testing.T) []string
		// of the strings and data of calls that are /dev/null
		opened, written int
	}{
		{"userfaultfd", func(*testing.T) []string { return []string{"userfaultfd"} }, 5, 2},
		{"forked", func(*testing.T) []string { return []string{"forked"} }, 5, 2},
		{"locked", func(*testing.T) []string { return []string{"locked"} }, 0, 0},
		{"device", func(*testing.T) []string { return []string{"device"} }, 5, 2},
		{"fuse", func(t *testing.T) []string { root(t); return []string{"fuse", t.TempDir()} }, 5, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			alone := runCommand(t, append([]string{program}, tt.args(t)...)...)
			needServed(t, alone)
			if alone.status != 0 {
				t.Fatalf("the program alone: %#x, %s", alone.status, alone.stderr)
			}
			stdout, records := traceInto(t, append([]string{"--", program}, tt.args(t)...)...)
			if stdout != alone.stdout {
				t.Errorf("the program printed %q, alone %q", stdout, alone.stdout)
			}
			opened, written := devNulls(t, records)
			if opened != tt.opened || written != tt.written {
				t.Errorf("%d opens and %d writes of /dev/null are told, want %d and %d", opened, written, tt.opened, tt.written)
			}
		})
	}
}

// TestUnseenFaults is the same where none of the calls that make the memory what it
// is has been selected. The first reads of a process are the ones that would wait.
func TestUnseenFaults(t *testing.T) {
	t.Parallel()
	program := fixture(t, "slowfiles")
	for _, what := range []string{"forked", "forked-device"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			alone := runCommand(t, program, what)
			needServed(t, alone)
			stdout, _ := traceInto(t, "-e", "openat,open,poll,ppoll,read", "--", program, what)
			if stdout != alone.stdout {
				t.Errorf("the program printed %q, alone %q", stdout, alone.stdout)
			}
		})
	}
}

// TestRewrittenName has a program open a file by a name that nobody can read
// before the kernel does, and that says something else afterwards.
func TestRewrittenName(t *testing.T) {
	t.Parallel()
	program, dir := fixture(t, "slowfiles"), t.TempDir()
	alone := runCommand(t, program, "rewritten", dir)
	needServed(t, alone)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stdout, records := traceInto(t, "--", program, "rewritten", dir)
	if stdout != alone.stdout {
		t.Errorf("the program printed %q, alone %q", stdout, alone.stdout)
	}
	var names []string
	for _, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if res, _ := v.Int(0); res >= 0 && v.Info().Enum == "SYSCALL_OPENAT_2_X" {
			names = append(names, string(v.Str(2)))
		}
	}
	want := []string{"secret", filepath.Join(dir, "secret")} // for the lease, and by the name
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("opened are %q, want %q", names, want)
	}
}

// devNulls counts the ends of calls that have succeeded with a file or data of that
// name. None may have lost it.
func devNulls(t *testing.T, records [][]byte) (opened, written int) {
	t.Helper()
	const name = "/dev/null"
	for _, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		res, _ := v.Int(0)
		switch typ := v.Info().Enum; {
		case res < 0:
		case typ == "SYSCALL_OPENAT_2_X":
			if string(v.Str(2)) == name {
				opened++
			}
			if len(v.Param(2)) == 0 {
				t.Error("an open has succeeded without a name")
			}
		case typ == "SYSCALL_WRITE_X", typ == "SYSCALL_WRITEV_X":
			if string(v.Param(1)) == name {
				written++
			}
		}
	}
	return opened, written
}

// needServed skips a test whose program the kernel has not given what it serves
// memory or files with.
func needServed(t *testing.T, alone result) {
	t.Helper()
	if alone.status.ExitStatus() == 77 {
		t.Skipf("needs userfaultfd (CAP_SYS_PTRACE or vm.unprivileged_userfaultfd=1) or FUSE (CAP_SYS_ADMIN): %s", alone.stderr)
	}
}
