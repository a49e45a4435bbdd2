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

// written is the byte order of the files.
var written interface {
	binary.ByteOrder
	binary.AppendByteOrder
} = binary.NativeEndian

// asForeign has f build files of a machine with the other byte order.
func asForeign(f func()) {
	written = binary.BigEndian
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		written = binary.LittleEndian
	}
	f()
	written = binary.NativeEndian
}

func u16(n int) []byte    { return written.AppendUint16(nil, uint16(n)) }
func u32(n int) []byte    { return written.AppendUint32(nil, uint32(n)) }
func u64(n int) []byte    { return written.AppendUint64(nil, uint64(n)) }
func str(s string) []byte { return append(u16(len(s)), s...) }

// sized puts the length of an entry in front of it, with or without itself.
func sized(itself int, parts ...[]byte) []byte {
	b := bytes.Join(parts, nil)
	return append(u32(len(b)+itself), b...)
}

const closeX, chdirX = 5, 95

// rec is the exit of chdir to a path.
func rec(path string) []byte { return recOf(chdirX, u64(0), append([]byte(path), 0)) }

// recOf is a record with these parameters.
func recOf(typ int, params ...[]byte) []byte {
	var lengths []byte
	for _, p := range params {
		if syscalls.Events[typ].Flags&syscalls.LargePayload != 0 {
			lengths = append(lengths, u32(len(p))...)
		} else {
			lengths = append(lengths, u16(len(p))...)
		}
	}
	values := bytes.Join(params, nil)
	size := event.HeaderSize + len(lengths) + len(values)
	return bytes.Join([][]byte{u64(1700000000000000000), u64(100), u32(size), u16(typ), u32(len(params)), lengths, values}, nil)
}

// old is a record as the first version has it.
func old(rec []byte) []byte {
	b := append(bytes.Clone(rec[:offParams]), rec[offParams+4:]...)
	written.PutUint32(b[offLen:], uint32(len(b)))
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
