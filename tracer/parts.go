package tracer

import (
	"encoding/binary"
	"slices"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// Two calls of i386 are many: the first argument of socketcall and of ipc says
// what they do. They are recorded as what they do. And 32-bit arm has send and
// recv, which are sendto and recvfrom without an address.

// fold is a call that is recorded as another one, or with fewer arguments.
type fold uint8

const (
	foldNone    fold = iota
	foldSockets      // socketcall
	foldIPC          // ipc
	foldFour         // the call itself, of whose arguments only four are passed
	foldMap          // mmap of i386, whose arguments are in memory
)

var folds = map[string]fold{"socketcall": foldSockets, "ipc": foldIPC, "send": foldFour, "recv": foldFour}

// part is a call that another one carries out.
type part struct {
	name string
	// args are the arguments of that other one that become those of the part;
	// socketcall has them in memory, as many as are named here.
	args []uint8
}

// maxParts is above the first argument of both.
const maxParts = 25

// parts are the parts by first argument (net/socket.c, ipc/syscall.c).
var parts = [...][maxParts]part{
	foldSockets: {
		1:  {"socket", []uint8{0, 1, 2}},
		2:  {"bind", []uint8{0, 1, 2}},
		3:  {"connect", []uint8{0, 1, 2}},
		4:  {"listen", []uint8{0, 1}},
		5:  {"accept", []uint8{0, 1, 2}},
		6:  {"getsockname", []uint8{0, 1, 2}},
		7:  {"getpeername", []uint8{0, 1, 2}},
		8:  {"socketpair", []uint8{0, 1, 2, 3}},
		9:  {"sendto", []uint8{0, 1, 2, 3}},
		10: {"recvfrom", []uint8{0, 1, 2, 3}},
		11: {"sendto", []uint8{0, 1, 2, 3, 4, 5}},
		12: {"recvfrom", []uint8{0, 1, 2, 3, 4, 5}},
		13: {"shutdown", []uint8{0, 1}},
		14: {"setsockopt", []uint8{0, 1, 2, 3, 4}},
		15: {"getsockopt", []uint8{0, 1, 2, 3, 4}},
		16: {"sendmsg", []uint8{0, 1, 2}},
		17: {"recvmsg", []uint8{0, 1, 2}},
		18: {"accept4", []uint8{0, 1, 2, 3}},
		19: {"recvmmsg", []uint8{0, 1, 2, 3, 4}},
		20: {"sendmmsg", []uint8{0, 1, 2, 3}},
	},
	foldIPC: {
		1:  {"semop", []uint8{1, 4, 2}},
		2:  {"semget", []uint8{1, 2, 3}},
		3:  {"semctl", []uint8{1, 2, 3, 4}},
		4:  {"semtimedop", []uint8{1, 4, 2, 5}},
		11: {"msgsnd", []uint8{1, 4, 2, 3}},
		12: {"msgrcv", []uint8{1, 4, 2, 5, 3}},
		13: {"msgget", []uint8{1, 2}},
		14: {"msgctl", []uint8{1, 2, 4}},
		21: {"shmat", []uint8{1, 4, 2}},
		22: {"shmdt", []uint8{4}},
		23: {"shmget", []uint8{1, 2, 3}},
		24: {"shmctl", []uint8{1, 2, 4}},
	},
}

// partSpecs works out the specs of all parts.
func (s *specs) partSpecs(sel *Selection) {
	for f := range parts {
		for n, p := range parts[f] {
			if p.name == "" {
				continue
			}
			s.parts[f][n] = newSpec(sel, callIndex(p.name), maxNumber, s.ceiling)
			s.parts[f][n].packed = fold(f) == foldSockets
		}
	}
}

// unfold makes t.in the call that the one at whose entry th stands carries out,
// and returns its spec. What cannot be told stays what it is.
func (t *Tracer) unfold(th *thread, s *spec) *spec {
	args := t.in.Words[1:7]
	if s.fold == foldFour {
		args[4], args[5] = 0, 0
		return s
	}
	var b [4 * 6]byte
	if s.fold == foldMap {
		if th.proc.mem.full(b[:], args[0]) {
			for i := range args {
				args[i] = uint64(binary.LittleEndian.Uint32(b[4*i:]))
			}
		}
		return s
	}
	which := uint32(args[0])
	if s.fold == foldIPC {
		which &= 0xffff // a version stands above
	}
	if which >= maxParts || parts[s.fold][which].name == "" {
		return s
	}
	from := parts[s.fold][which].args
	was := [6]uint64(args)
	if s.fold == foldSockets {
		if !th.proc.mem.full(b[:4*len(from)], was[1]) {
			return s
		}
		for i := range was {
			was[i] = uint64(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	part := &t.specs.parts[s.fold][which]
	clear(args)
	for i, n := range from {
		args[i] = was[n]
	}
	if part.enter == enterSemctl {
		args[2] &^= ipc64
		_ = th.proc.mem.full(b[:4], args[3]) // union semun itself, not where it is
		args[3] = uint64(binary.LittleEndian.Uint32(b[:]))
	}
	return part
}

const enterSemctl = 252

// rereadPacked compares the arguments of a socketcall with what they were at the entry.
func (t *Tracer) rereadPacked(th *thread) {
	c := &th.call
	var b [4 * 3]byte // of bind and connect
	if !c.spec.packed || !th.proc.mem.full(b[:], c.packed) {
		return
	}
	for i := range len(b) / 4 {
		if uint64(binary.LittleEndian.Uint32(b[4*i:])) != c.args[i] {
			t.truth.Mismatch |= event.ArgumentChanged
		}
	}
}

// Part is a call that another one carries out.
type Part struct {
	Call *syscalls.Call // nil: none
	// Args are the arguments of the other one that become those of the part; nil: the
	// first ones of those in memory.
	Args []uint8
}

// Parts are those of the call of that name, by its first argument, nil if it is one
// call; and whether their arguments are in memory, where the second one leads.
func Parts(name string) (list []Part, inMemory bool) {
	f := folds[name]
	if f != foldSockets && f != foldIPC {
		return nil, false
	}
	for _, p := range parts[f] {
		var one Part
		if p.name != "" {
			one.Call = syscalls.LookupName(p.name)
			if f == foldIPC {
				one.Args = p.args
			}
		}
		list = append(list, one)
	}
	return list, f == foldSockets
}

// hasPart reports whether a part of the call of that name is selected.
func (s *Selection) hasPart(name string) bool {
	f := folds[name]
	return f != foldNone && f != foldFour &&
		slices.ContainsFunc(parts[f][:], func(p part) bool { return p.name != "" && s.names(p.name) })
}
