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
	narrowNumber = 7
	narrowSP     = 13
	narrowPC     = 15
	narrowCPSR   = 16
	narrowCount  = 18
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
func (r *registers) back() {
	const thumb = 0x20 // of cpsr: instructions are half as long
	switch {
	case !r.narrow:
		r.all.Pc -= callInstruction
	case r.get(narrowCPSR)&thumb != 0:
		r.set(narrowPC, r.pc()-callInstruction/2)
	default:
		r.set(narrowPC, r.pc()-callInstruction)
	}
}

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

// endedByEINTR reports whether th, which has stopped for a signal, has just
// ended a call with EINTR. The first argument of the call is lost by then, so
// it has to be a call that was recorded.
func endedByEINTR(th *thread) bool { return th.unsure }

// hasEnded has a call that a stop has ended with EINTR stay ended: a call that is sure
// to have ended does not begin again.
func hasEnded(*thread) {}

// callAgain makes that call begin again. The kernel, which on this architecture
// decides about restarts before a tracer sees the signal, will not help.
func callAgain(th *thread) bool {
	var r registers
	if !r.read(th.tid) {
		return false
	}
	r.set(0, th.call.args[0])
	r.back()
	return r.write(th.tid)
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

// noteCall notes the call in which th is: of a call that has ended the registers
// do not keep the first argument.
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
	c := &th.call
	if c.ip == 0 || !r.read(th.tid) {
		return false
	}
	closing := uint64(unix.SYS_CLOSE)
	if r.narrow {
		closing = 6
	}
	if c.nr == closing || r.result() != -int64(unix.EINTR) || r.pc() != c.ip || r.sp() != c.sp {
		return false
	}
	if exit {
		code := int64(restartNoHandler)
		r.set(0, uint64(code))
		return r.write(th.tid)
	}
	return callAgain(th)
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
