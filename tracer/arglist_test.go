package tracer

import (
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"
)

// made is a list that was read as far as n bytes.
func made(n, size int, more bool) list {
	return list{strings: []byte(strings.Repeat("x", n-1) + "y"), size: uint64(size), more: more}
}

func TestCut(t *testing.T) {
	for name, tt := range map[string]struct {
		limits listLimits
		list   list
		n      int
		want   string
	}{
		"whole":             {newListLimits(64), list{strings: []byte("a\x00b\x00"), size: 4}, 64, "a\x00b\x00"},
		"nothing":           {newListLimits(64), list{}, 64, ""},
		"as a driver":       {newListLimits(0), made(10, 12, false), 10, "xxxxxxxxx\x00"},
		"told":              {newListLimits(64), made(64, 70, false), 64, strings.Repeat("x", 52) + "\x00[70 bytes]\x00"},
		"of what is whole":  {newListLimits(64), made(70, 70, false), 20, "xxxxxxxx\x00[70 bytes]\x00"},
		"more than told":    {newListLimits(64), made(64, 99, true), 40, strings.Repeat("x", 19) + "\x00[99 bytes and more]\x00"},
		"no room for words": {newListLimits(64), made(64, 70, false), 5, "xxxx\x00"},
	} {
		tt.limits.cut(&tt.list, tt.n)
		if string(tt.list.strings) != tt.want {
			t.Errorf("%s: got %q, want %q", name, tt.list.strings, tt.want)
		}
	}
}

// Both lists have room in a record, and none is cut below half of it for the other.
func TestFit(t *testing.T) {
	for _, n := range []int{0, MinArgsLimit, 20000, MaxArgsLimit} {
		l := newListLimits(n)
		for _, sizes := range [][2]int{{1, 1}, {l.bytes, l.bytes}, {l.bytes, 5}, {5, l.bytes}, {l.bytes, 20000}} {
			a, e := min(sizes[0], l.bytes), min(sizes[1], l.bytes)
			args, env := made(a, 100000, false), made(e, 100000, false)
			l.fit(&args, &env)
			gotA, gotE := len(args.strings), len(env.strings)
			if gotA+gotE > listRoom || gotA < min(a, listRoom/2) || gotE < min(e, listRoom/2) {
				t.Errorf("limit %d, %d and %d bytes: got %d and %d", n, a, e, gotA, gotE)
			}
		}
	}
}

// A list is followed only so far, whatever a program has put together.
func TestStringListEnds(t *testing.T) {
	m := memory{pid: os.Getpid()}
	t.Cleanup(m.close)
	text := append([]byte(strings.Repeat("s", 1<<18)), 0)
	for name, tt := range map[string]struct {
		s    uint64 // the string that all pointers lead to
		want uint64
		more bool
	}{
		"long strings":  {address(text), maxMeasure, true},
		"empty strings": {address(text[len(text)-1:]), maxStrings, true},
	} {
		var pointers []byte
		for range 1 << 17 {
			pointers = binary.LittleEndian.AppendUint64(pointers, tt.s)
		}
		v := m.stringList(nil, address(pointers), 8, newListLimits(MaxArgsLimit))
		if v.size < tt.want || v.size > tt.want+1 || v.more != tt.more {
			t.Errorf("%s: %d bytes, more: %v, want %d, %v", name, v.size, v.more, tt.want, tt.more)
		}
		runtime.KeepAlive(pointers)
	}
	runtime.KeepAlive(text)
}
