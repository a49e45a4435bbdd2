package seccomp

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// X32 is set in the numbers of the x32 calls, whose architecture is
// AUDIT_ARCH_X86_64 too (__X32_SYSCALL_BIT).
const X32 = 0x40000000

// MaxInstructions is what the kernel takes of one filter (BPF_MAXINSNS).
const MaxInstructions = 4096

// Set is the calls of one architecture that are to be traced.
type Set struct {
	Arch  uint32   // AUDIT_ARCH_*
	Calls []uint32 // in any order
	Masks []Mask
}

// Mask is a call that is traced only if the lower half of an argument has one
// of the bits or, where Exact is set, just these; of several masks of a call one is
// enough. Among the calls of a set it is traced whatever its arguments.
type Mask struct {
	Call     uint32
	Argument int // from 0
	Bits     uint32
	Exact    bool
}

// SizeError means that a filter would need more than [MaxInstructions].
type SizeError int

func (e SizeError) Error() string {
	return fmt.Sprintf("seccomp: a filter of %d instructions is too large for the kernel", int(e))
}

// Offsets in struct seccomp_data.
const (
	offsetNumber    = 0
	offsetArch      = 4
	offsetArguments = 16 // the lower half first: amd64 and arm64 are little-endian
	sizeArgument    = 8
)

// Assemble returns a filter that traces the calls of the sets and those of
// unknown architectures, and allows all others. data comes with the stops of
// this filter (SECCOMP_RET_DATA), so that they can be told from those of
// another one. Sets of the same architecture
// are united; the architecture that is named first is recognised soonest. The
// search for a number takes as many comparisons as twice the runs of
// consecutive numbers have binary digits, and one more for each mask. The error is a [SizeError].
func Assemble(sets []Set, data uint16) ([]unix.SockFilter, error) {
	var archs []uint32
	calls, masks := map[uint32][]uint32{}, map[uint32][]Mask{}
	for _, s := range sets {
		if !slices.Contains(archs, s.Arch) {
			archs = append(archs, s.Arch)
		}
		calls[s.Arch] = append(calls[s.Arch], s.Calls...)
		masks[s.Arch] = append(masks[s.Arch], s.Masks...)
	}
	p := program{trace: unix.SECCOMP_RET_TRACE | uint32(data)}
	entries := make([]label, len(archs))
	for i, arch := range slices.Backward(archs) {
		entries[i] = p.search(edges(calls[arch]), masks[arch])
	}
	next := p.ret(p.trace)
	for i, arch := range slices.Backward(archs) {
		next = p.jump(unix.BPF_JEQ, arch, entries[i], next)
	}
	p.load(offsetArch)
	if len(p.reversed) > MaxInstructions {
		return nil, SizeError(len(p.reversed))
	}
	slices.Reverse(p.reversed)
	return p.reversed, nil
}

// edges are the numbers at which membership changes: from edges[0] on calls
// are members, from edges[1] on they are not, and so on. A run of consecutive
// numbers has two of them; one that ends at the last number has none there.
func edges(calls []uint32) []uint32 {
	sorted := slices.Compact(slices.Sorted(slices.Values(calls)))
	var out []uint32
	for i, nr := range sorted {
		if i == 0 || sorted[i-1] != nr-1 {
			out = append(out, nr)
		}
		if i == len(sorted)-1 && nr != ^uint32(0) || i < len(sorted)-1 && sorted[i+1] != nr+1 {
			out = append(out, nr+1)
		}
	}
	return out
}

// label is the place of an instruction, counted from the end of the program:
// jumps go forward only, so the program is made from its end, and every target
// is known when the jump to it is made.
type label int

type program struct {
	trace    uint32 // action of a traced call
	reversed []unix.SockFilter
	returns  map[uint32]label // the foremost return of each action
}

func (p *program) emit(f unix.SockFilter) label {
	p.reversed = append(p.reversed, f)
	return label(len(p.reversed) - 1)
}

// distance is the offset that a jump made next needs to reach the target.
func (p *program) distance(to label) int { return len(p.reversed) - 1 - int(to) }

func (p *program) load(offset uint32) label {
	return p.emit(unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

// ret is a return with the given action, an existing one where there is one.
func (p *program) ret(action uint32) label {
	if at, ok := p.returns[action]; ok {
		return at
	}
	return p.newRet(action)
}

func (p *program) newRet(action uint32) label {
	if p.returns == nil {
		p.returns = map[uint32]label{}
	}
	at := p.emit(unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action})
	p.returns[action] = at
	return at
}

// Offsets of conditional jumps have eight bits. An offset is read when up to
// two more instructions have been put before it, those of near for the other
// target.
const maxOffset = 255 - 2

// near is an instruction that does what to does and that a conditional jump can
// reach.
func (p *program) near(to label) label {
	if p.distance(to) <= maxOffset {
		return to
	}
	if far := p.reversed[to]; far.Code == unix.BPF_RET|unix.BPF_K {
		return p.newRet(far.K)
	}
	return p.emit(unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(p.distance(to))})
}

// jump goes to one of two places after comparing with k.
func (p *program) jump(comparison uint16, k uint32, yes, no label) label {
	yes, no = p.near(yes), p.near(no)
	return p.emit(unix.SockFilter{
		Code: unix.BPF_JMP | comparison | unix.BPF_K,
		K:    k,
		Jt:   uint8(p.distance(yes)),
		Jf:   uint8(p.distance(no)),
	})
}

// search finds the number of the call between the edges, and, where that says
// that it is not traced, among the masks.
func (p *program) search(edges []uint32, masks []Mask) label {
	if len(edges) == 0 && len(masks) == 0 {
		return p.ret(unix.SECCOMP_RET_ALLOW)
	}
	// The kernel remembers which numbers are allowed whatever the arguments
	// (kernel/seccomp.c, seccomp_is_const_allow): no others may come to a test.
	tests := map[uint32]label{}
	for _, m := range masks {
		test := uint16(unix.BPF_JSET)
		if m.Exact {
			test = unix.BPF_JEQ
		}
		other, ok := tests[m.Call]
		if !ok {
			other = p.ret(unix.SECCOMP_RET_ALLOW)
		}
		p.jump(test, m.Bits, p.ret(p.trace), other)
		tests[m.Call] = p.load(offsetArguments + sizeArgument*uint32(m.Argument))
	}
	next := p.tree(edges, 0, len(edges))
	for _, call := range slices.Sorted(maps.Keys(tests)) {
		if !holds(edges, call) {
			next = p.jump(unix.BPF_JEQ, call, tests[call], next)
		}
	}
	return p.load(offsetNumber)
}

// holds reports whether a call is one of those that edges stand for.
func holds(edges []uint32, call uint32) bool {
	n, found := slices.BinarySearch(edges, call)
	return found == (n%2 == 0)
}

// tree searches among edges[lo:hi].
func (p *program) tree(edges []uint32, lo, hi int) label {
	if lo == hi {
		if lo%2 == 1 {
			return p.ret(p.trace)
		}
		return p.ret(unix.SECCOMP_RET_ALLOW)
	}
	mid := (lo + hi) / 2
	above := p.tree(edges, mid+1, hi)
	below := p.tree(edges, lo, mid)
	return p.jump(unix.BPF_JGE, edges[mid], above, below)
}
