package tracer

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// What 32-bit programs pass becomes what 64-bit ones would.
func TestWidenings(t *testing.T) {
	const none = 0xffffffff
	for _, tt := range []struct {
		arch syscalls.Arch
		name string
		args []uint64
		want []uint64 // the first of them
	}{
		{syscalls.I386, "pread64", []uint64{3, 0x1000, 40, 0x89abcdef, 0x1234567, 9}, []uint64{3, 0x1000, 40, 0x123456789abcdef}},
		{syscalls.ARM, "pwrite64", []uint64{3, 0x1000, 40, 9, 0x89abcdef, 0x1234567}, []uint64{3, 0x1000, 40, 0x123456789abcdef}},
		{syscalls.I386, "pread64", []uint64{3, 0x1000, 40, 0xfffffffb, none, 9}, []uint64{3, 0x1000, 40, 1<<64 - 5}},
		{syscalls.ARM, "preadv", []uint64{3, 0x1000, 2, 0x89abcdef, 0x1234567, 9}, []uint64{3, 0x1000, 2, 0x123456789abcdef}},
		{syscalls.I386, "pwritev", []uint64{3, 0x1000, 2, 5, 1, 9}, []uint64{3, 0x1000, 2, 1<<32 | 5}},
		{syscalls.I386, "lseek", []uint64{3, none, 2, 0, 0, 0}, []uint64{3, 1<<64 - 1, 2}},
		{syscalls.ARM, "_llseek", []uint64{3, 1, 5, 0x1000, 2, 0}, []uint64{3, 1<<32 | 5, 2}},
		{syscalls.I386, "mmap2", []uint64{0, 4096, 3, 2, 4, 0xfffff}, []uint64{0, 4096, 3, 2, 4, 0xfffff000}},
		{syscalls.I386, "setresuid", []uint64{0x1ffff, 0xffff, 0x103e8, 7, 0, 0}, []uint64{none, none, 1000, 7}},
		{syscalls.ARM, "chown", []uint64{0x1ffff, 0xffff, 5, 7, 0, 0}, []uint64{0x1ffff, none, 5, 7}},
		{syscalls.ARM, "semctl", []uint64{1, 2, 0x110, 7, 0, 0}, []uint64{1, 2, 16, 7}},
		{syscalls.I386, "semctl", []uint64{1, 2, 0x110, 7, 0, 0}, []uint64{1, 2, 0x110, 7}},
	} {
		nr := syscalls.Calls[callIndex(tt.name)].Nr[tt.arch]
		s := newSpecs(SelectCaptured(), syscalls.CeilingNewest).lookup(tt.arch, int(nr))
		if s.widen == nil {
			t.Errorf("%s: nothing is done", tt.name)
			continue
		}
		s.widen(tt.arch, tt.args)
		if got := tt.args[:len(tt.want)]; !slices.Equal(got, tt.want) {
			t.Errorf("%s of %d: got %#x, want %#x", tt.name, tt.arch, got, tt.want)
		}
	}
}

// Every name in the tables is that of a call of i386 or arm, and calls of 64-bit
// programs stay as they are.
func TestNarrowed(t *testing.T) {
	for name := range widenings {
		i := callIndex(name)
		if i < 0 || syscalls.Calls[i].Nr[syscalls.I386] < 0 && syscalls.Calls[i].Nr[syscalls.ARM] < 0 {
			t.Errorf("%s: no such call of 32-bit programs", name)
		}
	}
	s := newSpecs(SelectCaptured(), syscalls.CeilingNewest)
	for _, arch := range []syscalls.Arch{syscalls.AMD64, syscalls.ARM64} {
		for n := range s.table[arch] {
			if c := &s.table[arch][n]; c.widen != nil || c.wideTimes || c.shortIDs || c.fold == foldMap {
				t.Errorf("call %d of %d is taken for one of 32-bit programs", n, arch)
			}
		}
	}
}

// Calls of x32 have the numbers of native ones with a bit, or others where their
// structures are narrow.
func TestX32(t *testing.T) {
	for _, tt := range []struct {
		nr   uint64
		name string
		word uint64
	}{
		{seccomp.X32 | 2, "open", 8},
		{seccomp.X32 | 35, "nanosleep", 8}, // its times are wide
		{seccomp.X32 | 516, "writev", 4},
		{seccomp.X32 | 518, "sendmsg", 4},
		{seccomp.X32 | 520, "execve", 4},
		{seccomp.X32 | 534, "preadv", 4},
		{seccomp.X32 | 541, "setsockopt", 8},
		{516, "writev", 4}, // before 5.4
		{20, "writev", 8},
	} {
		arch, n := number(unix.AUDIT_ARCH_X86_64, tt.nr)
		c := call{arch: unix.AUDIT_ARCH_X86_64, nr: tt.nr}
		if i := index(arch, n); i < 0 || syscalls.Calls[i].Name != tt.name || c.wordSize() != tt.word {
			t.Errorf("%#x: call %d with words of %d bytes, want %s, %d", tt.nr, i, c.wordSize(), tt.name, tt.word)
		}
		if s := newSpecs(SelectCaptured(), syscalls.CeilingNewest).lookup(arch, n); s.widen != nil {
			t.Errorf("%#x: its arguments are not those of native calls", tt.nr)
		}
	}
}
