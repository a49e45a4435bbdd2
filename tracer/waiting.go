package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// Offsets in struct pollfd: fd s32, events s16, revents s16.
const (
	pollEvents  = 4
	pollRevents = 6
	pollSize    = 8
)

// maxPoll is how many descriptors of a poll are recorded.
const maxPoll = 512

// pollList appends the list of descriptors at argument 0, as many as argument
// 1 says, each with the flags at offset.
func (t *Tracer) pollList(th *thread, offset int) {
	c := &th.call
	n := min(c.args[1]&0xffffffff, maxPoll)
	raw := t.scratch[:n*pollSize]
	if !th.proc.mem.full(raw, c.args[0]) {
		n = 0
	}
	t.enc.Open()
	t.enc.AppendInt(2, n)
	for ; n > 0; n, raw = n-1, raw[pollSize:] {
		t.enc.AppendInt(8, uint64(int64(int32(binary.LittleEndian.Uint32(raw)))))
		flags := uint64(binary.LittleEndian.Uint16(raw[offset:]))
		t.enc.AppendInt(2, syscalls.TransPollEvents.Translate(abis[0].arch, flags))
	}
	t.enc.Close()
}

// timespec is the struct timespec at argument A in ns, 0 if there is none.
func timespec(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	var b [16]byte
	ns, w := uint64(0), c.wordSize()
	if c.spec.wideTimes {
		w = 8
	}
	if th.proc.mem.full(b[:2*w], c.args[p.Source.A]) {
		ns = signedAs(b[:w])*1e9 + signedAs(b[w:2*w])
	}
	t.enc.Int(8, ns)
}

// futexOp is the operation of a futex call: the two flags and, if known, the
// operation itself.
func futexOp(t *Tracer, th *thread, p *syscalls.Param) {
	const private, realtime, last = 128, 256, 12
	op := th.call.args[1]
	v := op & (private | realtime)
	if cmd := op & 0x7f; cmd <= last {
		v |= cmd
	}
	t.enc.Int(p.Type.Size(), v)
}

// limit is number B of the struct rlimit at argument A, 0 if it cannot be read.
func limit(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(8, th.limit(p.Source.A, p.Source.B, th.call.wordSize()))
}

// gotLimit is number B of the limits that the call has written at argument A:
// -1 if it has failed, 0 if nothing was asked for.
func gotLimit(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	width := c.wordSize()
	if c.spec.enter == enterPrlimit {
		width = 8 // struct rlimit64 in every ABI
	}
	v := ^uint64(0)
	if c.ret == 0 {
		v = th.limit(p.Source.A, p.Source.B, width)
	}
	t.enc.Int(8, v)
}

const enterPrlimit = 144

// limit is number n of two that wide at an argument. No limit is no limit in
// either width.
func (th *thread) limit(arg, n uint8, width uint64) uint64 {
	var b [8]byte
	if !th.proc.mem.full(b[:width], th.call.args[arg]+width*uint64(n)) {
		return 0
	}
	v := binary.LittleEndian.Uint64(b[:])
	if width == 4 && v == 1<<32-1 {
		return ^uint64(0)
	}
	return v
}

// getCwd is the path that getcwd has written.
func getCwd(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret < 0 {
		t.string(nil, false)
		return
	}
	t.string(th.proc.mem.appendString(t.scratch[:0], c.args[0], maxPath-1))
}

// semaphore is operation n of a semop: struct sembuf.
func (th *thread) semaphore(n uint8) (num uint16, op uint16, flags uint16) {
	c := &th.call
	var b [6]byte
	if uint64(n) < c.args[2]&0xffffffff && th.proc.mem.full(b[:], c.args[1]+uint64(n)*uint64(len(b))) {
		return binary.LittleEndian.Uint16(b[:]), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint16(b[4:])
	}
	return 0, 0, 0
}

func semNum(t *Tracer, th *thread, p *syscalls.Param) {
	num, _, _ := th.semaphore(p.Source.A)
	t.enc.Int(2, uint64(num))
}

func semOp(t *Tracer, th *thread, p *syscalls.Param) {
	_, op, _ := th.semaphore(p.Source.A)
	t.enc.Int(2, uint64(op))
}

func semFlags(t *Tracer, th *thread, p *syscalls.Param) {
	_, _, flags := th.semaphore(p.Source.A)
	t.enc.Int(2, syscalls.TransSemopFlags.Translate(abis[0].arch, uint64(flags)))
}

// semValue is the value that semctl sets.
func semValue(t *Tracer, th *thread, p *syscalls.Param) {
	const setVal = 16 // SETVAL of uapi/linux/sem.h
	v := uint64(0)
	if uint32(th.call.args[2]) == setVal {
		v = th.call.args[3]
	}
	t.enc.Int(p.Type.Size(), v)
}

// ptraceAddr and ptraceData are the last arguments of ptrace: numbers, or a
// signal where the request sends one.
func ptraceAddr(t *Tracer, th *thread, _ *syscalls.Param) {
	v := uint64(0)
	if th.call.ret >= 0 {
		v = th.call.args[2]
	}
	t.dyn(0, 8, v)
}

func ptraceData(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret < 0 {
		t.dyn(0, 8, 0)
		return
	}
	switch uint32(c.args[0]) {
	case unix.PTRACE_CONT, unix.PTRACE_SINGLESTEP, unix.PTRACE_DETACH, unix.PTRACE_SYSCALL:
		t.dyn(1, 1, c.args[3])
	case unix.PTRACE_PEEKTEXT, unix.PTRACE_PEEKDATA, unix.PTRACE_PEEKUSR:
		var b [8]byte
		th.proc.mem.full(b[:c.wordSize()], c.args[3])
		t.dyn(0, 8, binary.LittleEndian.Uint64(b[:]))
	default:
		t.dyn(0, 8, c.args[3])
	}
}

// dyn appends a DYN parameter with a number of that many bytes.
func (t *Tracer) dyn(selector uint64, size int, v uint64) {
	t.enc.Open()
	t.enc.AppendInt(1, selector)
	t.enc.AppendInt(size, v)
	t.enc.Close()
}
