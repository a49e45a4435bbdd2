package launch

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBuilds runs what the linker can make of a program, and reads its entry.
func TestBuilds(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"static", []string{"-ldflags=-E _pdig_start"}},
		{"stripped", []string{"-ldflags=-s -w -E _pdig_start"}},
		{"pie", []string{"-buildmode=pie", "-ldflags=-E _pdig_start"}},
		{"pie, stripped", []string{"-buildmode=pie", "-ldflags=-s -w -E _pdig_start"}},
		{"without -E", nil},
		{"without -E, pie", []string{"-buildmode=pie"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := filepath.Join(binDir, strings.NewReplacer(" ", "", ",", "").Replace(tt.name))
			if err := goBuild(bin, "become", tt.args...); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", "/usr/bin:/bin") // without a directory that may not be searched
			ours := strings.Contains(strings.Join(tt.args, " "), "-E _pdig_start")
			checkEntry(t, bin, ours, strings.Contains(tt.name, "stripped"))
			for _, mode := range modes {
				r := run(t, bin, mode, probeBin, "ids,wait")
				if want := fmt.Sprintf("pid %d ", r.pid); r.status != 0 || !strings.HasPrefix(r.out, want) || !strings.HasSuffix(r.out, "\nwait no child processes\n") {
					t.Errorf("%s: got status %d, %q, %s", mode, r.status, r.out, r.stderr)
				}
				if r := run(t, bin, mode, "no-such-command"); r.status != 127 {
					t.Errorf("%s: not found: got status %d, %s", mode, r.status, r.stderr)
				}
			}
		})
	}
}

func checkEntry(t *testing.T, bin string, ours, stripped bool) {
	t.Helper()
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		if !stripped {
			t.Error(err)
		}
		return
	}
	for _, s := range symbols {
		if s.Name == "_pdig_start" {
			if (f.Entry == s.Value) != ours {
				t.Errorf("the entry is %#x, _pdig_start %#x", f.Entry, s.Value)
			}
			return
		}
	}
	t.Error("there is no _pdig_start")
}

// TestReexecRefused: a program without our entry says what keeps it from
// getting it.
func TestReexecRefused(t *testing.T) {
	plain := filepath.Join(binDir, "refused")
	if err := goBuild(plain, "become"); err != nil {
		t.Fatal(err)
	}
	flags := unix.MFD_CLOEXEC | unix.MFD_EXEC
	r := run(t, oddBin, fmt.Sprintf("+refuse=%d,1,%d", unix.SYS_MEMFD_CREATE, flags), plain, "true")
	if want := "become: copy of the program: memfd_create: operation not permitted\n"; r.status != 125 || r.stderr != want {
		t.Errorf("got status %d, %q, want 125, %q", r.status, r.stderr, want)
	}
}

// TestARM64 builds for the other architecture and reads the entry.
func TestARM64(t *testing.T) {
	for _, mode := range []string{"-buildmode=exe", "-buildmode=pie"} {
		bin := filepath.Join(binDir, "arm64"+mode)
		if err := goBuild(bin, "become", "GOARCH=arm64", mode, "-ldflags=-E _pdig_start"); err != nil {
			t.Fatal(err)
		}
		checkEntry(t, bin, true, false)
	}
}
