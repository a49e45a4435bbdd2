package tracer

import (
	"encoding/binary"

	"github.com/pdig/pdig/syscalls"
)

// readData is the beginning of what a call has read into the buffer at
// argument A: as many bytes as its result, at most snaplen.
func readData(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	t.data(th, c.args[p.Source.A], max(c.ret, 0))
}

// writeData is the beginning of what a call has written from the buffer at
// argument A, or wanted to: argument B is the size that was asked for.
func writeData(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	size := c.ret
	if size <= 0 {
		size = int64(c.args[p.Source.B] & (1<<63 - 1))
	}
	t.data(th, c.args[p.Source.A], size)
}

// data appends a parameter of at most snaplen bytes of tracee memory.
func (t *Tracer) data(th *thread, addr uint64, size int64) {
	t.enc.Open()
	if buf := t.enc.Reserve(int(min(size, int64(t.snaplen()), int64(t.enc.Room())))); buf != nil {
		t.enc.Commit(th.proc.mem.read(buf, addr))
	}
	t.enc.Close()
}

// MaxSnaplen is the most data that a record may hold: PPM_MAX_ARG_SIZE of
// Falco's driver, in bytes.
const MaxSnaplen = 65000

func (t *Tracer) snaplen() int {
	if t.cfg.Snaplen > 0 {
		return t.cfg.Snaplen
	}
	return min(max(t.sink.Snaplen(), 0), MaxSnaplen)
}

// offset is the position in a file at argument A, 0 if there is none: an off_t
// of the call's ABI, unless the call is one that only narrow ABIs need, with a
// wide one.
func offset(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	width := c.wordSize()
	if syscalls.Calls[c.spec.index].Nr[syscalls.AMD64] < 0 {
		width = 8
	}
	var b [8]byte
	v := uint64(0)
	if th.proc.mem.full(b[:width], c.args[p.Source.A]) {
		v = binary.LittleEndian.Uint64(b[:])
	}
	t.enc.Int(8, v)
}
