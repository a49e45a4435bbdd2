package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// wordSize is the width of a pointer or size_t of the call's ABI. Of the calls of
// x32 some have numbers of their own because of it.
func (c *call) wordSize() uint64 {
	if narrow(c.arch) || c.arch == unix.AUDIT_ARCH_X86_64 && narrowX32(int(int32(c.nr)&^seccomp.X32)) {
		return 4
	}
	return 8
}

// word is the pointer or size_t at the beginning of b.
func (c *call) word(b []byte) uint64 {
	if c.wordSize() == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// maxIOV is how many entries of a list of buffers are looked at, as many as
// the kernel drivers do.
const maxIOV = 32

// buffers is a list of buffers in the tracee: struct iovec[].
type buffers struct {
	list  [maxIOV]struct{ base, size uint64 }
	n     int
	total uint64 // of the sizes
}

// readIOV reads the list at addr into t.iov, empty if it cannot be read.
func (t *Tracer) readIOV(th *thread, addr, count uint64) *buffers {
	c, v := &th.call, &t.iov
	v.n, v.total = 0, 0
	var raw [maxIOV * 16]byte
	w := c.wordSize()
	n := min(count, maxIOV)
	b := raw[:n*2*w]
	if !th.proc.mem.full(b, addr) {
		return v
	}
	for i := range n {
		e := b[i*2*w:]
		v.list[i].base, v.list[i].size = c.word(e), c.word(e[w:])
		v.total += v.list[i].size
	}
	v.n = int(n)
	return v
}

// gather appends a parameter of the first limit bytes of the buffers, at most
// snaplen.
func (t *Tracer) gather(th *thread, v *buffers, limit uint64) {
	left := min(limit, uint64(t.snaplen()))
	t.enc.Open()
	for i := range v.n {
		if left == 0 {
			break
		}
		want := min(v.list[i].size, left)
		buf := t.enc.Reserve(int(want))
		if buf == nil {
			break
		}
		got := th.proc.mem.read(buf, v.list[i].base)
		t.enc.Commit(got)
		if uint64(got) < want {
			break
		}
		left -= want
	}
	t.enc.Close()
}

// moved is how many bytes the call has moved, or was to move if it has failed.
func (c *call) moved(wanted uint64) uint64 {
	if c.ret > 0 {
		return uint64(c.ret)
	}
	return wanted
}

func iovSize(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	t.enc.Int(p.Type.Size(), t.readIOV(th, c.args[p.Source.A], c.args[p.Source.B]).total)
}

func iovRead(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	t.gather(th, t.readIOV(th, c.args[p.Source.A], c.args[p.Source.B]), uint64(max(c.ret, 0)))
}

func iovWritten(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	v := t.readIOV(th, c.args[p.Source.A], c.args[p.Source.B])
	t.gather(th, v, c.moved(v.total))
}

// retSize is the result as a size: 0 if the call has failed.
func retSize(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(p.Type.Size(), uint64(max(th.call.ret, 0)))
}

// buffer is the memory at argument A, of the size in argument B.
func buffer(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	t.data(th, c.args[p.Source.A], int64(c.args[p.Source.B]&(1<<63-1)))
}
