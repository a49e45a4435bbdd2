package tracer

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// Every call that x32 has twice has the name that the kernel headers of this machine give it.
func TestNumbersOfX32(t *testing.T) {
	text, err := os.ReadFile("/usr/include/x86_64-linux-gnu/asm/unistd_x32.h")
	if err != nil {
		t.Skip("no kernel headers (linux-libc-dev) on this machine")
	}
	define := regexp.MustCompile(`(?m)^#define __NR_(\w+)\s+\(__X32_SYSCALL_BIT \+ (\d+)\)$`)
	found := 0
	for _, m := range define.FindAllStringSubmatch(string(text), -1) {
		nr, _ := strconv.Atoi(m[2])
		if nr < firstX32 {
			continue
		}
		found++
		if i := index(syscalls.AMD64, nr); i < 0 || syscalls.Calls[i].Name != m[1] {
			t.Errorf("%d is %d in the table, want %s", nr, i, m[1])
		}
	}
	if found != len(x32) {
		t.Errorf("%d calls with numbers of their own, want %d", found, len(x32))
	}
}

// Every part is a call that the table names, with arguments of the one that it
// is a part of, and is recorded like that.
func TestParts(t *testing.T) {
	s := newSpecs(SelectCaptured(), syscalls.CeilingNewest)
	for f := range parts {
		for n, p := range parts[f] {
			if p.name == "" {
				continue
			}
			spec := &s.parts[f][n]
			if spec.index < 0 || syscalls.Calls[spec.index].Name != p.name {
				t.Errorf("%s: no such call", p.name)
			}
			if len(p.args) > 6 || slices.Max(p.args) > 5 {
				t.Errorf("%s: arguments %v", p.name, p.args)
			}
		}
	}
}

// A filter stops at socketcall and ipc if a part of it is selected.
func TestSelectedParts(t *testing.T) {
	const socketcall, ipc = 102, 117
	for _, tt := range []struct {
		words string
		want  []uint32
	}{
		{"exec", nil},
		{"connect", []uint32{socketcall}},
		{"semop", []uint32{ipc}},
		{"security", []uint32{socketcall}},
		{"all", []uint32{socketcall, ipc}},
	} {
		sel, err := Select(tt.words)
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range sel.sets() {
			if set.Arch != unix.AUDIT_ARCH_I386 {
				continue
			}
			for _, nr := range []uint32{socketcall, ipc} {
				if got := slices.Contains(set.Calls, nr); got != slices.Contains(tt.want, nr) {
					t.Errorf("-e %s: stops at %d: %v", tt.words, nr, got)
				}
			}
		}
	}
}
