package launch

import (
	"errors"
	"math"
)

// errScriptFull means that a plan does not fit into the region.
var errScriptFull = errors.New("the plan is too large")

// notRun is the result of an entry that was never reached. No system call
// returns it.
const notRun = math.MinInt64

// script writes entries and their data into the region. An error sticks: the
// entries that did not fit are all the last one.
type script struct {
	mem  *memory
	len  int // entries
	used int // bytes of data
	err  error
}

func (s *script) reset() { s.len, s.used, s.err = 0, 0, nil }

// call appends an entry. Whatever its result, the entry that is appended next
// follows, until the caller says otherwise.
func (s *script) call(nr int64, args ...uint64) *entry {
	if s.len == scriptLen {
		s.err = errScriptFull
		s.len--
	}
	e := &s.mem.script[s.len]
	s.len++
	next := addr(e) + entrySize
	e.nr, e.args, e.dst, e.ok, e.bad, e.res = nr, [6]uint64{}, addr(&e.res), next, next, notRun
	copy(e.args[:], args)
	return e
}

// store appends an entry that writes a word into the memory of the process.
func (s *script) store(address, word uint64) *entry {
	e := s.call(opStore, word)
	e.dst = address
	return e
}

// space returns n bytes of the region, all zero and aligned to a word.
func (s *script) space(n int) []byte {
	begin := (s.used + 7) &^ 7
	if n > len(s.mem.data)-begin {
		s.err = errScriptFull
		return make([]byte, n)
	}
	s.used = begin + n
	b := s.mem.data[begin:s.used:s.used]
	clear(b)
	return b
}

func (s *script) bytes(b []byte) []byte {
	p := s.space(len(b))
	copy(p, b)
	return p
}

func (s *script) string(text string) uint64 {
	p := s.space(len(text) + 1)
	copy(p, text)
	return at(p)
}

func (e *entry) then(next *entry) *entry {
	e.ok, e.bad = addr(next), addr(next)
	return e
}

func (e *entry) branch(ok, bad *entry) {
	e.ok, e.bad = addr(ok), addr(bad)
}
