package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// file is a capture in the making, block by block.
type file struct{ bytes.Buffer }

func (f *file) block(typ uint32, payload ...[]byte) *file {
	b := bytes.Join(payload, nil)
	size := (len(b) + minBlock + 3) &^ 3
	f.Write(u32(int(typ)))
	f.Write(u32(size))
	f.Write(b)
	f.Write(make([]byte, size-minBlock-len(b)))
	f.Write(u32(size))
	return f
}

// section begins a capture.
func (f *file) section() *file {
	return f.block(typeSection, u32(magic), u16(majorVersion), u16(minorVersion), u64(-1))
}

func u16(n int) []byte    { return binary.NativeEndian.AppendUint16(nil, uint16(n)) }
func u32(n int) []byte    { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }
func u64(n int) []byte    { return binary.NativeEndian.AppendUint64(nil, uint64(n)) }
func str(s string) []byte { return append(u16(len(s)), s...) }

// sized puts the length of an entry in front of it, with or without itself.
func sized(itself int, parts ...[]byte) []byte {
	b := bytes.Join(parts, nil)
	return append(u32(len(b)+itself), b...)
}

const closeX, chdirX = 5, 95

// rec is the exit of chdir to a path.
func rec(path string) []byte {
	var e event.Encoder
	e.Begin(1700000000000000000, 100, chdirX, 2)
	e.Int(8, 0)
	e.String([]byte(path))
	b, err := e.End()
	if err != nil {
		panic(err)
	}
	return bytes.Clone(b)
}

// old is a record as the first version has it.
func old(rec []byte) []byte {
	b := append(bytes.Clone(rec[:offParams]), rec[offParams+4:]...)
	binary.NativeEndian.PutUint32(b[offLen:], uint32(len(b)))
	return b
}

// read is all that a file holds, one line for each entry and event.
func read(src io.Reader) (lines []string, err error) {
	r := NewReader(src, "test", func(e Entry) { lines = append(lines, line(e)) })
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		cpu, hidden := r.Place()
		var v event.View
		if err := v.Parse(b); err != nil {
			lines = append(lines, fmt.Sprintf("%d: %v", r.Offset(), err))
			continue
		}
		text := fmt.Sprintf("event %d %t %s", cpu, hidden, syscalls.Events[v.Type()].Name)
		for i := range v.NumParams() {
			text += fmt.Sprintf(" %q", v.Param(i))
		}
		lines = append(lines, text)
	}
}

// line shows an entry without what is 0.
func line(e Entry) string {
	text := strings.ReplaceAll(fmt.Sprintf("%+v", e), "\x00", `\0`)
	kind := strings.TrimPrefix(fmt.Sprintf("%T ", e), "*capture.")
	return kind + strings.TrimPrefix(text, "&")
}
