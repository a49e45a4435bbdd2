package tracer

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// list is the arguments of a program, or its environment: strings, each with its
// NUL.
type list struct {
	strings []byte // as many as are kept
	size    uint64 // of all of them
	more    bool   // there are more than size tells
}

// listLimits say how much of arguments and environment is kept.
type listLimits struct {
	bytes int  // of each
	told  bool // of one that was cut, how long it was
}

// DefaultArgsLimit is how many bytes of the arguments, and of the environment,
// Falco's drivers keep.
const DefaultArgsLimit = 4096

// What may be asked for. Both lists together have no more room than listRoom.
const (
	MinArgsLimit = 64
	MaxArgsLimit = 1 << 16
)

// listRoom is how much of a record is for arguments and environment together. The
// rest is for what has an end of its own: paths, cgroups.
const listRoom = 51 << 10

func newListLimits(n int) listLimits {
	if n == 0 {
		return listLimits{bytes: DefaultArgsLimit}
	}
	return listLimits{bytes: n, told: true}
}

// fit cuts both lists to what a record has room for: none is cut for the other
// below half of it.
func (l listLimits) fit(args, env *list) {
	if over := len(args.strings) + len(env.strings) - listRoom; over > 0 {
		l.cut(args, max(listRoom/2, len(args.strings)-over))
		l.cut(env, listRoom-len(args.strings))
	}
	l.cut(args, l.bytes)
	l.cut(env, l.bytes)
}

// cut keeps n bytes of a list, the last string still with its NUL. A limit that was
// asked for leaves room for one more, which tells how long the list is.
func (l listLimits) cut(v *list, n int) {
	n = min(n, len(v.strings))
	if n == 0 || uint64(n) == v.size && !v.more {
		return
	}
	end := ""
	if l.told {
		end = fmt.Sprintf("[%d bytes]", v.size)
		if v.more {
			end = fmt.Sprintf("[%d bytes and more]", v.size)
		}
	}
	if end == "" || n < len(end)+2 {
		v.strings = v.strings[:n]
		v.strings[n-1] = 0
		return
	}
	v.strings = v.strings[:n-len(end)-1]
	v.strings[len(v.strings)-1] = 0
	v.strings = append(append(v.strings, end...), 0)
}

// strings returns a copy of the list of strings from start to end.
func (m *memory) strings(start, end uint64, most int) (v list) {
	if end <= start {
		return v
	}
	v.size = end - start
	v.strings = make([]byte, min(v.size, uint64(most)))
	v.strings = v.strings[:m.read(v.strings, start)]
	return v
}

// How far a list is followed that is longer than what is kept of it.
const (
	maxMeasure = 1 << 17 // bytes
	maxStrings = 1 << 14
)

// stringList appends to buf the strings of a NULL-terminated list of pointers,
// which a program may have anywhere.
func (m *memory) stringList(buf []byte, pointers, width uint64, l listLimits) (v list) {
	kept, most := buf, len(buf)+l.bytes
	measure := l.bytes
	if l.told {
		measure = maxMeasure
	}
	next := pointerList{m: m, at: pointers, width: width}
	for n := 0; ; n++ {
		p := next.take()
		if p == 0 {
			break
		}
		left := measure - int(v.size)
		if left <= 0 || n == maxStrings {
			v.more = true
			break
		}
		s, whole := m.appendWhole(kept, p, left)
		got := len(s) - len(kept)
		if !whole && got == 0 {
			break
		}
		v.size += uint64(got) + 1
		v.more = got == left
		if len(kept) < most {
			kept = append(s, 0)
		}
	}
	v.strings = kept[len(buf):]
	return v
}

// pointerList is a list of pointers in a program, some of which are read at a time.
type pointerList struct {
	m         *memory
	at, width uint64
	ahead     [32 * 8]byte
	next, end uint64 // of what stands in ahead
}

// take returns the next one, 0 if it cannot be read. Nothing of a page behind the end of
// the list is looked at.
func (l *pointerList) take() uint64 {
	if l.next == l.end {
		inPage := (pageSize - l.at%pageSize) / l.width
		want := max(1, min(inPage, 32)) * l.width
		got := uint64(l.m.read(l.ahead[:want], l.at)) / l.width * l.width
		if got == 0 {
			return 0
		}
		l.next, l.end, l.at = 0, got, l.at+got
	}
	b := l.ahead[l.next:]
	l.next += l.width
	if l.width == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// first splits argument zero off.
func (v list) first() (zero, rest []byte) {
	zero, rest, _ = bytes.Cut(v.strings, []byte{0})
	return zero, rest
}
