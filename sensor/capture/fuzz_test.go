package capture

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// lists are the types of all blocks with entries.
var lists = []uint32{
	typeProcesses1, typeProcesses2, typeProcesses3, typeProcesses4, typeProcesses5, typeProcesses6, typeProcesses7, typeProcesses8, typeProcesses9,
	typeFDs, typeFDs2, typeInterfaces, typeInterfaces2, typeUsers, typeUsers2, typeMachine,
}

// FuzzLists reads whatever for a list of processes, descriptors and so on, of
// both byte orders.
func FuzzLists(f *testing.F) {
	for i, typ := range lists {
		if version := processVersion(typ); version > 0 {
			f.Add(uint8(i), false, processEntry(version))
			asForeign(func() { f.Add(uint8(i), true, processEntry(version)) })
		}
	}
	f.Add(uint8(9), false, bytes.Join([][]byte{u64(1), u64(2), u64(3), {byte(FDFile)}, str("/a")}, nil))
	f.Add(uint8(10), true, []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, which uint8, other bool, payload []byte) {
		var b []byte
		build := func() {
			b = new(file).section().block(lists[int(which)%len(lists)], payload).block(typeEvent2, u16(0), rec("/")).Bytes()
		}
		if other {
			asForeign(build)
		} else {
			build()
		}
		lines, err := read(bytes.NewReader(b))
		var fault *FormatError
		if err != nil && !errors.As(err, &fault) {
			t.Errorf("got %v without an offset", err)
		}
		if len(lines) > len(payload)+2 {
			t.Errorf("%d lines of %d bytes", len(lines), len(payload))
		}
	})
}

// FuzzForeign reads records of machines with the other byte order.
func FuzzForeign(f *testing.F) {
	asForeign(func() { f.Add(recOf(chdirX, u64(0), []byte("/\x00"))) })
	f.Fuzz(func(t *testing.T, record []byte) {
		var b []byte
		asForeign(func() { b = new(file).section().block(typeEvent2, u16(0), record).Bytes() })
		r := NewReader(bytes.NewReader(b), "f", nil)
		if got, err := r.Next(); err == nil && len(got) > len(record)+3 || errors.Is(err, io.EOF) {
			t.Errorf("%d bytes of %d, %v", len(got), len(record), err)
		}
	})
}
