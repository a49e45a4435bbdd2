package tracer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// Selection is the set of system calls whose events are wanted.
type Selection struct {
	calls   [len(syscalls.Calls)]bool
	numbers map[int]bool // of the native ABI, without a name in the table
	rest    bool         // numbers without a name
	refused [len(syscalls.Calls)]bool
}

// SelectionError is a word of a selection that names nothing.
type SelectionError struct{ Word string }

func (e *SelectionError) Error() string {
	return fmt.Sprintf("%q is no level (exec, security, io, all), class (%%file, %%network, %%process, %%signal, %%memory, %%desc, %%ipc), system call or number", e.Word)
}

var levels = map[string]syscalls.Level{
	"exec": syscalls.LevelExec, "security": syscalls.LevelSecurity, "io": syscalls.LevelIO, "all": syscalls.LevelAll,
}

var classes = map[string]syscalls.Class{
	"file": syscalls.ClassFile, "network": syscalls.ClassNetwork, "process": syscalls.ClassProcess,
	"signal": syscalls.ClassSignal, "memory": syscalls.ClassMemory, "desc": syscalls.ClassDesc, "ipc": syscalls.ClassIpc,
}

// Select reads a selection: words with commas between them, each adding to
// what stands before it or, with a ! in front, taking away from it. A
// selection that begins with a ! begins with all calls. The error is a
// [*SelectionError].
func Select(text string) (*Selection, error) {
	s := &Selection{numbers: map[int]bool{}}
	for i, word := range strings.Split(text, ",") {
		name, remove := strings.CutPrefix(strings.TrimSpace(word), "!")
		if remove && i == 0 {
			s.level(syscalls.LevelAll, true)
		}
		if !s.word(name, !remove) {
			return nil, &SelectionError{Word: word}
		}
	}
	return s, nil
}

// SelectCaptured selects every call that has an event of its own.
func SelectCaptured() *Selection {
	s := &Selection{numbers: map[int]bool{}}
	for i := range syscalls.Calls {
		_, s.calls[i] = syscalls.Calls[i].Event(syscalls.CeilingNewest)
	}
	return s
}

func (s *Selection) word(name string, on bool) bool {
	if l, ok := levels[name]; ok {
		s.level(l, on)
		return true
	}
	if class, ok := strings.CutPrefix(name, "%"); ok {
		return s.class(classes[class], on)
	}
	if n, err := strconv.ParseUint(name, 10, 15); err == nil {
		s.number(int(n), on)
		return true
	}
	i := callIndex(name)
	if i >= 0 {
		s.calls[i] = on
	}
	return i >= 0
}

// callIndex is the place of the call of that name in syscalls.Calls, or -1.
func callIndex(name string) int {
	return slices.IndexFunc(syscalls.Calls[:], func(c syscalls.Call) bool { return c.Name == name })
}

func (s *Selection) level(l syscalls.Level, on bool) {
	for i := range syscalls.Calls {
		if syscalls.Calls[i].Level <= l {
			s.calls[i] = on
		}
	}
	if l == syscalls.LevelAll {
		s.rest = on
	}
}

func (s *Selection) class(c syscalls.Class, on bool) bool {
	for i := range syscalls.Calls {
		if syscalls.Calls[i].Class&c != 0 {
			s.calls[i] = on
		}
	}
	return c != 0
}

// number selects a call by its number in the native ABI, and with it the call
// of that name in all others.
func (s *Selection) number(n int, on bool) {
	if i := syscalls.Index(abis[0].arch, n); i >= 0 {
		s.calls[i] = on
		return
	}
	s.numbers[n] = on
}

// RefuseIOUring has all calls of io_uring fail, selected or not, as with a kernel
// that does not have them: what is done in a ring makes no calls.
func (s *Selection) RefuseIOUring() {
	for i := range syscalls.Calls {
		if strings.HasPrefix(syscalls.Calls[i].Name, "io_uring_") {
			s.refused[i] = true
		}
	}
}

// has reports whether the call with index i in syscalls.Calls, or without one
// (-1) the number n, is selected.
func (s *Selection) has(i, n int) bool {
	if i >= 0 {
		return s.calls[i]
	}
	on, ok := s.numbers[n]
	return on || !ok && s.rest
}

// names reports whether the call of that name is selected.
func (s *Selection) names(name string) bool {
	i := callIndex(name)
	return i >= 0 && s.calls[i]
}

// maxNumber is above every number of a system call that a kernel knows; those
// without a name in the table are searched for below it.
const maxNumber = 1024

// Filter returns the seccomp filter that stops at the selected calls and at
// those that the tracer needs for itself. cookie comes with its stops.
func (s *Selection) Filter(cookie uint16) ([]unix.SockFilter, error) {
	return seccomp.Assemble(s.sets(), cookie)
}

func (s *Selection) sets() []seccomp.Set {
	var sets []seccomp.Set
	for _, a := range abis {
		var numbers []uint32
		var masks []seccomp.Mask
		for n := range maxNumber {
			i := index(a.arch, n)
			nr := uint32(n) | a.bit
			if s.has(i, n) || i >= 0 && (s.refused[i] || s.hasPart(syscalls.Calls[i].Name)) {
				numbers = append(numbers, nr)
				continue
			}
			if i < 0 {
				continue
			}
			name := syscalls.Calls[i].Name
			if some, ok := someOf[name]; ok {
				for _, m := range some {
					m.Call = nr
					masks = append(masks, m)
				}
			} else if callKind(name) != kindPlain {
				numbers = append(numbers, nr)
			}
		}
		sets = append(sets, seccomp.Set{Arch: a.audit, Calls: numbers, Masks: masks})
	}
	return sets
}

// count is how many calls of the native ABI are selected by name or number.
func (s *Selection) count() (n int) {
	for nr := range maxNumber {
		if i := syscalls.Index(abis[0].arch, nr); i >= 0 && s.calls[i] || s.numbers[nr] {
			n++
		}
	}
	return n
}
