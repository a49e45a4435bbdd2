package seccomp

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

var archs = []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM}

// result runs a filter as the kernel does, with its checks: offsets within the
// program, known instructions, an end in a return.
func result(t testing.TB, f []unix.SockFilter, arch, nr uint32) (action uint32, steps int) {
	return resultOf(t, f, arch, nr, nil)
}

// resultOf is result of a call with arguments, of which nil has none to load.
func resultOf(t testing.TB, f []unix.SockFilter, arch, nr uint32, args []uint64) (action uint32, steps int) {
	var acc uint32
	for pc := 0; ; pc++ {
		if pc >= len(f) {
			t.Fatalf("arch %#x, call %#x: jump out of the program to %d", arch, nr, pc)
		}
		steps++
		switch in := f[pc]; in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			switch in.K {
			case 0:
				acc = nr
			case 4:
				acc = arch
			default:
				if n := int(in.K-16) / 8; in.K%8 == 0 && n >= 0 && n < len(args) {
					acc = uint32(args[n])
					break
				}
				t.Fatalf("load of offset %d: the kernel would no longer cache", in.K)
			}
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			pc += pick(acc == in.K, in)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			pc += pick(acc >= in.K, in)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			pc += pick(acc&in.K != 0, in)
		case unix.BPF_RET | unix.BPF_K:
			return in.K, steps
		default:
			t.Fatalf("instruction %#x at %d", in.Code, pc)
		}
	}
}

func pick(yes bool, in unix.SockFilter) int {
	if yes {
		return int(in.Jt)
	}
	return int(in.Jf)
}

// testData comes with every stop.
const testData = 0x7a1c

func mustAssemble(t testing.TB, sets []Set) []unix.SockFilter {
	t.Helper()
	f, err := Assemble(sets, testData)
	if err != nil {
		t.Fatal(err)
	}
	if len(f) > MaxInstructions {
		t.Fatalf("%d instructions", len(f))
	}
	return f
}

// boundaries are numbers that no table has, at which comparisons go wrong.
var boundaries = []uint32{X32 - 1, X32 + 601, 1<<31 - 1, 1 << 31, 1<<31 + 1, ^uint32(0) - 1, ^uint32(0)}

// checkAll compares the filter with the sets for all numbers up to 600, the
// same with the x32 bit, and the boundaries.
func checkAll(t *testing.T, f []unix.SockFilter, members map[uint32]map[uint32]bool) {
	t.Helper()
	check := func(arch, nr uint32) {
		t.Helper()
		want := uint32(unix.SECCOMP_RET_ALLOW)
		if set, known := members[arch]; !known || set[nr] {
			want = unix.SECCOMP_RET_TRACE | testData
		}
		if got, _ := result(t, f, arch, nr); got != want {
			t.Fatalf("arch %#x, call %#x: got %#x, want %#x", arch, nr, got, want)
		}
	}
	for _, arch := range append([]uint32{unix.AUDIT_ARCH_S390X, 0}, archs...) {
		for nr := range uint32(601) {
			check(arch, nr)
			check(arch, X32|nr)
		}
		for _, nr := range boundaries {
			check(arch, nr)
		}
	}
}

func member(sets []Set) map[uint32]map[uint32]bool {
	m := map[uint32]map[uint32]bool{}
	for _, s := range sets {
		if m[s.Arch] == nil {
			m[s.Arch] = map[uint32]bool{}
		}
		for _, nr := range s.Calls {
			m[s.Arch][nr] = true
		}
	}
	return m
}

// draw returns n different numbers below 600; every third set is x32 as well.
func draw(r *rand.Rand, n int, x32 bool) []uint32 {
	out := make([]uint32, n)
	for i, nr := range r.Perm(600)[:n] {
		out[i] = uint32(nr)
		if x32 && i%2 == 1 {
			out[i] |= X32
		}
	}
	return out
}

// TestEverySize checks sets of every size, for each architecture alone and in
// the first and last place among others.
func TestEverySize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 501 {
		sets := []Set{}
		for i, arch := range archs {
			size := n
			if i != n%len(archs) {
				size = r.IntN(40)
			}
			sets = append(sets, Set{Arch: arch, Calls: draw(r, size, arch == unix.AUDIT_ARCH_X86_64 && n%3 == 0)})
		}
		r.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
		checkAll(t, mustAssemble(t, sets), member(sets))
	}
}

func TestShapes(t *testing.T) {
	all := func(from, to uint32, step int) (out []uint32) {
		for nr := from; nr <= to; nr += uint32(step) {
			out = append(out, nr)
		}
		return out
	}
	x86 := func(calls ...uint32) []Set { return []Set{{Arch: unix.AUDIT_ARCH_X86_64, Calls: calls}} }
	for _, tt := range []struct {
		name string
		sets []Set
		len  int // instructions, 0: any
	}{
		{"no architecture", nil, 2},
		{"empty set", x86(), 4},
		{"one call", x86(59), 7},
		{"call 0", x86(0), 7},
		{"last number", x86(^uint32(0)), 6},
		{"one run", x86(all(10, 200, 1)...), 7},
		{"everything below 601", x86(all(0, 600, 1)...), 7},
		{"duplicates and disorder", x86(5, 3, 5, 4, 3), 7},
		{"united sets", []Set{{Arch: unix.AUDIT_ARCH_ARM, Calls: []uint32{1}}, {Arch: unix.AUDIT_ARCH_I386, Calls: nil}, {Arch: unix.AUDIT_ARCH_ARM, Calls: []uint32{9}}}, 0},
		{"every other call", x86(all(0, 600, 2)...), 0},
		{"every third call of all", []Set{
			{Arch: unix.AUDIT_ARCH_X86_64, Calls: append(all(0, 600, 3), all(X32, X32+600, 3)...)},
			{Arch: unix.AUDIT_ARCH_I386, Calls: all(1, 600, 3)},
			{Arch: unix.AUDIT_ARCH_AARCH64, Calls: all(2, 600, 3)},
			{Arch: unix.AUDIT_ARCH_ARM, Calls: all(0, 600, 3)},
		}, 0},
		{"boundaries", x86(boundaries...), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := mustAssemble(t, tt.sets)
			if tt.len != 0 && len(f) != tt.len {
				t.Errorf("got %d instructions, want %d: %v", len(f), tt.len, f)
			}
			checkAll(t, f, member(tt.sets))
		})
	}
}

// TestMasks holds calls of which the arguments decide beside others.
func TestMasks(t *testing.T) {
	const bits = 0xc0000000
	masks := []Mask{{Call: 61, Argument: 2, Bits: bits}, {Call: 247, Argument: 3, Bits: bits}, {Call: 16, Argument: 1, Bits: 1<<31 | 1, Exact: true}, {Call: 16, Argument: 1, Bits: 7, Exact: true}}
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{0, 1, 50, 300, 599} {
		calls := draw(r, n, false)
		f := mustAssemble(t, []Set{{Arch: archs[0], Calls: calls, Masks: masks}, {Arch: archs[1], Calls: calls}})
		for nr := range uint32(601) {
			selected := slices.Contains(calls, nr)
			for _, m := range masks {
				for _, word := range []uint64{0, 1, 7, 1 << 29, 1 << 30, 1<<31 | 1, bits, bits << 32} {
					args := make([]uint64, 6)
					args[m.Argument] = word
					want := uint32(unix.SECCOMP_RET_ALLOW)
					traced := func(m Mask) bool {
						if m.Exact {
							return m.Call == nr && uint32(args[m.Argument]) == m.Bits
						}
						return m.Call == nr && uint32(args[m.Argument])&m.Bits != 0
					}
					if selected || slices.ContainsFunc(masks, traced) {
						want = unix.SECCOMP_RET_TRACE | testData
					}
					if selected || !slices.ContainsFunc(masks, func(m Mask) bool { return m.Call == nr }) {
						args = nil // are not looked at
					}
					if got, _ := resultOf(t, f, archs[0], nr, args); got != want {
						t.Fatalf("%d calls: call %d with %#x: got %#x, want %#x", n, nr, word, got, want)
					}
				}
			}
		}
		// Those of another architecture have none.
		for _, m := range masks {
			want := uint32(unix.SECCOMP_RET_ALLOW)
			if slices.Contains(calls, m.Call) {
				want = unix.SECCOMP_RET_TRACE | testData
			}
			if got, _ := result(t, f, archs[1], m.Call); got != want {
				t.Errorf("other architecture: got %#x, want %#x", got, want)
			}
		}
	}
}

// TestTooLarge goes over the kernel's limit one pair of calls at a time.
func TestTooLarge(t *testing.T) {
	var tooLarge SizeError
	fits := 0
	for n := 1500; ; n += 50 {
		calls := make([]uint32, n)
		for i := range calls {
			calls[i] = uint32(2 * i)
		}
		f, err := Assemble([]Set{{Arch: unix.AUDIT_ARCH_X86_64, Calls: calls}}, testData)
		if err == nil {
			fits = n
			for _, nr := range []uint32{0, 1, uint32(n), uint32(n + 1), uint32(2*n - 2), uint32(2*n - 1), uint32(2 * n)} {
				want := uint32(unix.SECCOMP_RET_ALLOW)
				if slices.Contains(calls, nr) {
					want = unix.SECCOMP_RET_TRACE | testData
				}
				if got, _ := result(t, f, unix.AUDIT_ARCH_X86_64, nr); got != want {
					t.Fatalf("%d calls: call %d: got %#x, want %#x", n, nr, got, want)
				}
			}
			continue
		}
		if f != nil || !errors.As(err, &tooLarge) || int(tooLarge) <= MaxInstructions {
			t.Fatalf("%d calls: got %v, %v", n, f, err)
		}
		break
	}
	if fits < 1900 {
		t.Errorf("no more than %d calls fit", fits)
	}
}

// TestDepth bounds the instructions that a call costs.
func TestDepth(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 5, 20, 45, 90, 150, 250, 400, 500} {
		var sets []Set
		for _, arch := range archs {
			sets = append(sets, Set{Arch: arch, Calls: draw(r, n, false)})
		}
		f, deepest := mustAssemble(t, sets), 0
		for _, arch := range archs {
			for nr := range uint32(601) {
				_, steps := result(t, f, arch, nr)
				deepest = max(deepest, steps)
			}
		}
		// Two loads, a return, one comparison per architecture.
		bound := 2*bits.Len(uint(n)) + 3 + len(archs)
		t.Logf("%3d calls: %4d instructions, at most %2d for a call", n, len(f), deepest)
		if deepest > bound {
			t.Errorf("%d calls: %d instructions for a call, want at most %d", n, deepest, bound)
		}
	}
}

func FuzzAssemble(f *testing.F) {
	f.Add([]byte{0, 59, 1, 11, 2, 221})
	f.Fuzz(func(t *testing.T, b []byte) {
		var sets []Set
		for ; len(b) >= 3; b = b[3:] {
			nr := uint32(b[1])<<2 | uint32(b[2])&3
			if b[0]&4 != 0 {
				nr |= X32
			}
			sets = append(sets, Set{Arch: archs[b[0]&3], Calls: []uint32{nr}})
		}
		filter, err := Assemble(sets, testData)
		if err != nil {
			return
		}
		checkAll(t, filter, member(sets))
	})
}

func BenchmarkAssemble(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{20, 100, 400} {
		sets := []Set{{Arch: unix.AUDIT_ARCH_X86_64, Calls: draw(r, n, true)}, {Arch: unix.AUDIT_ARCH_I386, Calls: draw(r, n, false)}}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Assemble(sets, testData); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
