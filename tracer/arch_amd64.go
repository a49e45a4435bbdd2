package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// abis are the ABIs of an amd64 kernel, the native one first.
var abis = []abi{
	{audit: unix.AUDIT_ARCH_X86_64, arch: syscalls.AMD64},
	{audit: unix.AUDIT_ARCH_X86_64, arch: syscalls.AMD64, bit: seccomp.X32},
	{audit: unix.AUDIT_ARCH_I386, arch: syscalls.I386},
}

// compatSegment is the code segment of a 32-bit thread (__USER32_CS).
const compatSegment = 0x23

// infoFromRegs makes a [sys.SyscallInfo] of the registers, for kernels that do
// not tell. op says what the stop is.
func infoFromRegs(th *thread, in *sys.SyscallInfo, op uint8) unix.Errno {
	var r sys.Regs
	if errno := sys.GetUserRegs(th.tid, &r); errno != 0 {
		return errno
	}
	*in = sys.SyscallInfo{Op: op, Arch: unix.AUDIT_ARCH_X86_64, IP: r.Rip, SP: r.Rsp}
	in.Words = [8]uint64{r.Orig_rax, r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}
	if op != sys.SyscallNone && (r.Cs == compatSegment || th.usesGate(r.Rip)) {
		in.Arch = unix.AUDIT_ARCH_I386
		in.Words = [8]uint64{uint64(uint32(r.Orig_rax))}
		for i, v := range [...]uint64{r.Rbx, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.Rbp} {
			in.Words[1+i] = uint64(uint32(v))
		}
	} else if r.Cs == compatSegment {
		in.Arch = unix.AUDIT_ARCH_I386
	}
	if op == sys.SyscallExit {
		in.Words = [8]uint64{r.Rax}
	}
	return 0
}

// usesGate reports whether the instruction before ip, at which a thread of 64 bits
// makes a call, is that of the 32-bit ABI: int 0x80.
func (th *thread) usesGate(ip uint64) bool {
	var code [2]byte
	return th.proc.mem.full(code[:], ip-uint64(len(code))) && code == [...]byte{0xcd, 0x80}
}

// inVsyscall reports whether a call at ip is one that the kernel carries out when a
// program jumps to a page without code (arch/x86/entry/vsyscall/vsyscall_64.c): to
// gettimeofday, time or getcpu.
func inVsyscall(ip uint64) bool { return ip&^0xfff == 0xffffffffff600000 }

// frameResult is the distance from the stack pointer at the start of a signal
// handler to the saved result of the interrupted call: struct rt_sigframe of
// arch/x86/include/asm/sigframe.h, field rax of its sigcontext.
const frameResult = 8 + 40 + 13*8

// narrowFrameResult is where the frame of a 32-bit handler at sp has that result:
// in struct sigframe_ia32, or in rt_sigframe_ia32, which begins with pointers to
// two parts of itself. The registers stand in struct sigcontext_32.
func narrowFrameResult(m *memory, sp uint64) (addr uint64, ok bool) {
	const (
		ax       = 44
		plain    = 8
		info     = 16
		context  = info + 128
		inReturn = context + 20
	)
	var b [16]byte
	if !m.full(b[:], sp) {
		return 0, false
	}
	if binary.LittleEndian.Uint32(b[8:]) == uint32(sp+info) && binary.LittleEndian.Uint32(b[12:]) == uint32(sp+context) {
		return sp + inReturn + ax, true
	}
	return sp + plain + ax, true
}

// skipCall makes the call at whose entry tid has stopped one that is not
// carried out and gives result.
func skipCall(tid int, result int64) {
	var r sys.Regs
	if sys.GetUserRegs(tid, &r) != 0 {
		return // it has died
	}
	r.Orig_rax, r.Rax = ^uint64(0), uint64(result)
	_ = sys.SetUserRegs(tid, &r)
}

// setArgument0 changes the first argument of the call at whose entry or exit
// tid has stopped.
func setArgument0(tid int, audit uint32, v uint64, _ bool) bool {
	var r sys.Regs
	if sys.GetUserRegs(tid, &r) != 0 {
		return false
	}
	if narrow(audit) { // also of a thread of 64 bits: int 0x80
		r.Rbx = v
	} else {
		r.Rdi = v
	}
	return sys.SetUserRegs(tid, &r) == 0
}

// rolledBack is what stands in the place of a result when c was not carried out, and its
// registers were given back.
func rolledBack(c *call) int64 { return int64(c.nr) }

// ended: the kernel tells all that there is to know.
type ended struct{}

// endedByEINTR reports whether th, which has stopped for a signal, has just
// ended a call with EINTR.
func endedByEINTR(th *thread) bool {
	var r sys.Regs
	return sys.GetUserRegs(th.tid, &r) == 0 && int64(r.Orig_rax) >= 0 && int64(r.Rax) == -int64(unix.EINTR)
}

// hasEnded has a call that a stop has ended with EINTR, as natively, stay ended: the
// signals that follow before th runs do not make it begin again.
func hasEnded(th *thread) {
	var r sys.Regs
	if sys.GetUserRegs(th.tid, &r) == 0 && int64(r.Orig_rax) >= 0 && int64(r.Rax) == -int64(unix.EINTR) {
		r.Orig_rax = ^uint64(0) // in no call
		_ = sys.SetUserRegs(th.tid, &r)
	}
}

// callAgain makes that call begin again, as ERESTARTNOHAND does, unless a
// handler runs before.
func callAgain(th *thread) bool {
	var r sys.Regs
	if sys.GetUserRegs(th.tid, &r) != 0 {
		return false
	}
	code := int64(restartNoHandler)
	r.Rax = uint64(code)
	return sys.SetUserRegs(th.tid, &r) == 0
}

// beginsAgain: the kernel sees to it that such a call ends if a handler runs.
func beginsAgain(*thread) bool { return false }

func callEnds(*thread) {}

// enterAgain has th, which has stopped at the entry of a call, leave the kernel
// without the call and come to it again: each instruction for calls is as long.
func enterAgain(th *thread) {
	var r sys.Regs
	if sys.GetUserRegs(th.tid, &r) != 0 {
		return
	}
	callAnew(th.tid, &r)
}

// noteCall notes the call in which th is, where the registers do not keep it.
func noteCall(*thread, *procBuffer) {}

// undisturb makes a call begin again that our interrupt has ended with EINTR:
// only a signal that is noticed may do that. A close has closed its file.
func undisturb(th *thread, _ bool) bool {
	var r sys.Regs
	if sys.GetUserRegs(th.tid, &r) != 0 || int64(r.Orig_rax) < 0 || int64(r.Rax) != -int64(unix.EINTR) {
		return false
	}
	closing := r.Orig_rax == unix.SYS_CLOSE
	if r.Cs == compatSegment {
		const close386 = 6
		closing = r.Orig_rax == close386
	}
	return !closing && callAgain(th)
}

// setCall makes r those of a call.
func setCall(r *sys.Regs, nr uint64, args []uint64) {
	var a [6]uint64
	copy(a[:], args)
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = a[0], a[1], a[2], a[3], a[4], a[5]
	r.Rax = nr
}

// callInstead has tid, which stands at the entry of a call with registers r, make
// another one. It changes r.
func callInstead(tid int, r *sys.Regs, nr uint64, args ...uint64) {
	result := r.Rax
	setCall(r, nr, args)
	r.Orig_rax, r.Rax = nr, result
	_ = sys.SetUserRegs(tid, r)
}

// callNext has tid make a call when it goes on, by the instruction at which it
// had registers r. It changes r.
func callNext(tid int, r *sys.Regs, nr uint64, args ...uint64) {
	setCall(r, nr, args)
	r.Rip -= callInstruction
	r.Orig_rax = ^uint64(0) // in no call
	_ = sys.SetUserRegs(tid, r)
}

// callAnew has tid make the call again at whose entry it had registers r. It
// changes r.
func callAnew(tid int, r *sys.Regs) {
	callNext(tid, r, r.Orig_rax, r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9)
}

// callInstruction is the length of the instruction of a call.
const callInstruction = 2
