package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// msgControl is the ancillary data that came with a message, as a 64-bit program
// gets it.
func msgControl(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	t.truth.rights = t.truth.rights[:0]
	m := t.readMessage(th)
	if c.ret < 0 || m.controlLen > MaxSnaplen {
		t.enc.Empty()
		return
	}
	t.enc.Open()
	// Behind much data there is little room left.
	if buf := t.enc.Reserve(min(int(m.controlLen), t.enc.Room())); buf != nil {
		n := th.proc.mem.read(buf, m.control)
		if c.wordSize() == 4 && n > 0 {
			t.control = appendWide(t.control[:0], buf[:n])
			buf = t.enc.Reserve(min(len(t.control), t.enc.Room()))
			n = copy(buf, t.control)
		}
		t.enc.Commit(n)
		if n > 0 && c.spec.truth == truthReceived && t.sink.Truth() {
			t.truth.rights = event.AppendRights(t.truth.rights, buf[:n], event.ControlHeader)
		}
	}
	t.enc.Close()
}

// appendWide appends the ancillary data of a program of 32 bits as one of 64 bits
// would get it. Of what contradicts itself the bytes are kept.
func appendWide(dst, b []byte) []byte {
	for len(b) >= event.NarrowControlHeader {
		n := uint64(binary.LittleEndian.Uint32(b))
		if n < event.NarrowControlHeader {
			break
		}
		data := b[event.NarrowControlHeader:min(n, uint64(len(b)))]
		from := len(dst)
		dst = append(dst, zeros[:8]...)
		dst = append(dst, b[4:event.NarrowControlHeader]...)
		if isTime(b) {
			for ; len(data) >= 4; data = data[4:] {
				dst = binary.LittleEndian.AppendUint64(dst, signedAs(data[:4]))
			}
		}
		dst = append(dst, data...)
		binary.LittleEndian.PutUint64(dst[from:], uint64(len(dst)-from))
		dst = append(dst, zeros[:-(len(dst)-from)&7]...)
		b = b[min((n+3)&^3, uint64(len(b))):]
	}
	return append(dst, b...)
}

// isTime reports whether ancillary data of a program of 32 bits is times of 32 bits
// (net/core/scm.c and net/compat.c, put_cmsg_compat).
func isTime(b []byte) bool {
	level, typ := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	return level == unix.SOL_SOCKET && (typ == unix.SO_TIMESTAMP_OLD || typ == unix.SO_TIMESTAMPNS_OLD || typ == unix.SO_TIMESTAMPING_OLD)
}
