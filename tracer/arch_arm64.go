package tracer

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// abis are the ABIs of an arm64 kernel, the native one first.
var abis = []abi{
	{audit: unix.AUDIT_ARCH_AARCH64, arch: syscalls.ARM64},
	{audit: unix.AUDIT_ARCH_ARM, arch: syscalls.ARM},
}

// registers are those of a thread, which may be one of 32 bits: then there are
// r0 to r15, cpsr and the first argument, 32 bits each.
type registers struct {
	all    sys.Regs
	narrow bool
}

// Places of 32-bit registers.
const (
	narrowNumber   = 7
	narrowSP       = 13
	narrowPC       = 15
	narrowCPSR     = 16
	narrowArgument = 17
	narrowCount    = 18
)

// read is false if the thread has died.
func (r *registers) read(tid int) bool {
	n, errno := sys.GetRegs(tid, &r.all)
	r.narrow = n == 4*narrowCount
	return errno == 0
}

func (r *registers) write(tid int) bool { return sys.SetRegs(tid, &r.all) == 0 }

// get is the general register n.
func (r *registers) get(n int) uint64 {
	if r.narrow {
		return r.all.Regs[n/2] >> (n % 2 * 32) & 0xffffffff
	}
	return r.all.Regs[n]
}

func (r *registers) set(n int, v uint64) {
	if r.narrow {
		half := n % 2 * 32
		r.all.Regs[n/2] = r.all.Regs[n/2]&^(0xffffffff<<half) | v&0xffffffff<<half
		return
	}
	r.all.Regs[n] = v
}

func (r *registers) pc() uint64 {
	if r.narrow {
		return r.get(narrowPC)
	}
	return r.all.Pc
}

func (r *registers) sp() uint64 {
	if r.narrow {
		return r.get(narrowSP)
	}
	return r.all.Sp
}

// result is what a call has returned.
func (r *registers) result() int64 {
	if r.narrow {
		return int64(int32(r.get(0)))
	}
	return int64(r.get(0))
}

// back goes back to the instruction of the call that was made last.
func (r *registers) back() { r.setPC(r.pc() - r.instruction()) }

// setPC has the thread go on at an instruction.
func (r *registers) setPC(pc uint64) {
	if r.narrow {
		r.set(narrowPC, pc)
		return
	}
	r.all.Pc = pc
}

// instruction is the length of the instruction of a call.
func (r *registers) instruction() uint64 {
	const thumb = 0x20 // of cpsr: instructions are half as long
	if r.narrow && r.get(narrowCPSR)&thumb != 0 {
		return callInstruction / 2
	}
	return callInstruction
}

// behindCall reports whether the instruction that was carried out last is that of a call.
func (r *registers) behindCall(m *memory) bool {
	var b [callInstruction]byte
	code := b[:r.instruction()]
	if !m.full(code, r.pc()-r.instruction()) {
		return false
	}
	v := binary.LittleEndian.Uint32(b[:])
	switch {
	case !r.narrow:
		return v&0xffe0001f == 0xd4000001
	case len(code) < len(b):
		return v&0xff00 == 0xdf00
	}
	return v&0x0f000000 == 0x0f000000
}

// sum stands for what a return from a signal handler brings back, all but flags.
func (r *registers) sum() uint64 {
	words := r.all.Regs[:]
	if r.narrow {
		words = words[:narrowCPSR/2]
	}
	sum := r.pc()
	for _, v := range append(words[:len(words):len(words)], r.sp()) {
		sum = (sum ^ v) * 0x100000001b3 // FNV
		sum ^= sum >> 32
	}
	return sum
}

// argument0 is the first argument of the call that r stand behind, those of a thread that
// has stopped for a signal. The kernel keeps it, and tells it of one that has stopped
// for a filter: that is what the stop looks like until then. Before 5.3 it does not.
func (r *registers) argument0(tid int) (v uint64, ok bool) {
	if r.narrow {
		return r.get(narrowArgument), true
	}
	var info sys.SigInfo
	if info.Get(tid) != 0 {
		return 0, false
	}
	var in sys.SyscallInfo
	other := info
	other.Code = seccompStop
	ok = other.Set(tid) == 0 && in.Get(tid) == 0 && in.Op == sys.SyscallSeccomp
	return in.Words[1], info.Set(tid) == 0 && ok
}

// noCall is the number of the call of a thread that is in none.
const noCall = -1

// infoFromRegs makes a [sys.SyscallInfo] of the registers, for kernels that do
// not tell. op says what the stop is.
func infoFromRegs(th *thread, in *sys.SyscallInfo, op uint8) unix.Errno {
	var r registers
	if !r.read(th.tid) {
		return unix.ESRCH
	}
	number := 8
	*in = sys.SyscallInfo{Op: op, Arch: unix.AUDIT_ARCH_AARCH64, IP: r.pc(), SP: r.sp()}
	if r.narrow {
		number, in.Arch = narrowNumber, unix.AUDIT_ARCH_ARM
	}
	if op == sys.SyscallExit {
		in.Words[0] = uint64(r.result())
		return 0
	}
	in.Words[0] = r.get(number)
	for n := range 6 {
		in.Words[1+n] = r.get(n)
	}
	return 0
}

// inVsyscall: there is no such page here.
func inVsyscall(uint64) bool { return false }

// frameResult is the distance from the stack pointer at the start of a signal
// handler to the saved result of the interrupted call: struct rt_sigframe of
// arch/arm64/kernel/signal.c, regs[0] of its sigcontext.
const frameResult = 128 + 176 + 8

// narrowFrameResult is where the frame of a 32-bit handler at sp has that result:
// in struct compat_sigframe (arch/arm64/kernel/signal32.c), which a magic number
// tells from compat_rt_sigframe, where siginfo comes before it.
func narrowFrameResult(m *memory, sp uint64) (addr uint64, ok bool) {
	const (
		magic = 0x5ac3c35a
		info  = 128
		r0    = 20 + 3*4
	)
	var b [4]byte
	if !m.full(b[:], sp) {
		return 0, false
	}
	if binary.LittleEndian.Uint32(b[:]) == magic {
		return sp + r0, true
	}
	return sp + info + r0, true
}

// skipCall makes the call at whose entry tid has stopped one that is not
// carried out and gives result.
func skipCall(tid int, result int64) {
	var r registers
	if !r.read(tid) {
		return // it has died
	}
	r.set(0, uint64(result))
	_ = r.write(tid)
	_ = sys.SetSystemCall(tid, -1)
}

// setArgument0 changes the first argument of the call at whose entry tid has
// stopped. At the exit that register holds the result, and nothing is changed.
func setArgument0(tid int, _ uint32, v uint64, exit bool) bool {
	var r registers
	if exit || !r.read(tid) {
		return false
	}
	r.set(0, v)
	return r.write(tid)
}

// rolledBack is what stands in the place of a result when c was not carried out, and its
// registers were given back.
func rolledBack(c *call) int64 {
	if narrow(c.arch) {
		return int64(int32(c.args[0]))
	}
	return int64(c.args[0])
}

// On this architecture the kernel decides about restarts before a tracer sees the signal,
// and forgets that the thread was in a call. The registers tell: the result, behind
// the instruction of a call. A return from a handler of another signal, however, brings
// back just these. It is a call itself, and the first argument that the kernel keeps
// is its own then.

// ended is what is remembered of the call of a thread that was ended with EINTR last.
type ended struct {
	sum      uint64 // of its registers then
	argument uint64 // the first of the call
	again    uint64 // sum of the registers with which it was made to begin again
}

// endedByEINTR reports whether th, which has stopped for a signal, has just
// ended a call with EINTR.
func endedByEINTR(th *thread) bool {
	var r registers
	c, e := &th.call, &th.ended
	if !r.read(th.tid) || r.result() != -int64(unix.EINTR) {
		return false
	}
	if nr, errno := sys.SystemCall(th.tid); errno != 0 || nr != noCall {
		return false // see hasEnded
	}
	if th.unsure && c.ip == r.pc() && c.sp == r.sp() {
		e.sum, e.argument = r.sum(), c.args[0]
		return true
	}
	if !r.behindCall(&th.proc.mem) {
		return false
	}
	argument, ok := r.argument0(th.tid)
	sum := r.sum()
	if !ok || sum == e.sum && argument != e.argument {
		return false
	}
	e.sum, e.argument = sum, argument
	return true
}

// hasEnded has a call that a stop has ended with EINTR, as natively, stay ended: the
// signals that follow before th runs do not make it begin again. What stands for
// that is the number of a call in which it is not: whatever it does next, the kernel
// writes another one.
func hasEnded(th *thread) {
	var r registers
	if r.read(th.tid) && r.result() == -int64(unix.EINTR) {
		_ = sys.SetSystemCall(th.tid, 0)
	}
}

// callAgain makes the call begin again of which [endedByEINTR] is true, unless a handler
// runs before: see [beginsAgain].
func callAgain(th *thread) bool {
	var r registers
	if !r.read(th.tid) {
		return false
	}
	return r.again(th, th.ended.argument)
}

// again makes the call begin again behind which r, those of th, stand.
func (r *registers) again(th *thread, argument uint64) bool {
	r.set(0, argument)
	r.back()
	th.ended.again = r.sum()
	return r.write(th.tid)
}

// beginsAgain reports whether th, which has stopped for a signal, has been made to begin
// a call again, and has not come to it yet.
func beginsAgain(th *thread) bool {
	var r registers
	return th.ended.again != 0 && r.read(th.tid) && r.sum() == th.ended.again
}

// callEnds has that call end with EINTR all the same.
func callEnds(th *thread) {
	var r registers
	if !r.read(th.tid) {
		return
	}
	code := -int64(unix.EINTR)
	r.set(0, uint64(code))
	r.setPC(r.pc() + r.instruction())
	_ = r.write(th.tid)
}

// enterAgain has th, which has stopped at the entry of a call, leave the kernel
// without the call and come to it again.
func enterAgain(th *thread) {
	var r registers
	if !r.read(th.tid) {
		return
	}
	r.back()
	if sys.SetSystemCall(th.tid, -1) == 0 {
		_ = r.write(th.tid)
	}
}

// noteCall notes the call in which th is, for [undisturb]: of a call that has ended the
// registers do not keep the first argument, and not every kernel tells of it.
func noteCall(th *thread, b *procBuffer) {
	const number, argument, sp, pc, fields = 0, 1, 7, 8, 9
	f := bytes.Fields(b.read(th.tid, "syscall"))
	if len(f) != fields {
		return // it runs
	}
	c := &th.call
	c.nr, c.args[0] = decimal(f[number]), hex(bytes.TrimPrefix(f[argument], []byte("0x")))
	c.sp, c.ip = hex(bytes.TrimPrefix(f[sp], []byte("0x"))), hex(bytes.TrimPrefix(f[pc], []byte("0x")))
}

// undisturb makes a call begin again that our interrupt has ended with EINTR:
// only a signal that is noticed may do that. A close has closed its file. At the
// exit of the call the kernel has yet to decide about a restart, and what it is
// to do there can be written as a result, which no part of us takes for one.
func undisturb(th *thread, exit bool) bool {
	var r registers
	if !r.read(th.tid) || r.result() != -int64(unix.EINTR) {
		return false
	}
	nr, closing := r.get(8), uint64(unix.SYS_CLOSE)
	if r.narrow {
		nr, closing = r.get(narrowNumber), 6
	}
	c := &th.call
	switch {
	case nr == closing:
		return false
	case exit:
		code := int64(restartNoHandler)
		r.set(0, uint64(code))
		return r.write(th.tid)
	case endedByEINTR(th):
		return callAgain(th)
	}
	_, told := r.argument0(th.tid)
	return !told && c.ip == r.pc() && c.sp == r.sp() && r.again(th, c.args[0])
}

// callInstruction is the length of the instruction of a call.
const callInstruction = 4

// setCall makes r those of a call.
func setCall(r *sys.Regs, nr uint64, args []uint64) {
	clear(r.Regs[:6])
	copy(r.Regs[:6], args)
	r.Regs[8] = nr
}

// callInstead has tid, which stands at the entry of a call with registers r, make
// another one. It changes r.
func callInstead(tid int, r *sys.Regs, nr uint64, args ...uint64) {
	setCall(r, nr, args)
	_ = sys.SetRegs(tid, r)
	_ = sys.SetSystemCall(tid, int32(nr))
}

// callNext has tid make a call when it goes on, by the instruction at which it
// had registers r. It changes r.
func callNext(tid int, r *sys.Regs, nr uint64, args ...uint64) {
	setCall(r, nr, args)
	callAnew(tid, r)
}

// callAnew has tid make the call again at whose entry it had registers r. It
// changes r.
func callAnew(tid int, r *sys.Regs) {
	r.Pc -= callInstruction
	_ = sys.SetRegs(tid, r)
	_ = sys.SetSystemCall(tid, -1) // in no call
}
