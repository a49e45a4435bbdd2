package tracer

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// abis are the ABIs of an arm64 kernel, the native one first. The 32-bit ABI
// has no table: its calls are seen by their numbers.
var abis = []abi{{audit: unix.AUDIT_ARCH_AARCH64, arch: syscalls.ARM64}}

// infoFromRegs makes a [sys.SyscallInfo] of the registers, for kernels that do
// not tell. op says what the stop is.
func infoFromRegs(th *thread, in *sys.SyscallInfo, op uint8) unix.Errno {
	var r sys.Regs
	if _, errno := sys.GetRegs(th.tid, &r); errno != 0 {
		return errno
	}
	*in = sys.SyscallInfo{Op: op, Arch: unix.AUDIT_ARCH_AARCH64, IP: r.Pc, SP: r.Sp}
	in.Words = [8]uint64{r.Regs[8], r.Regs[0], r.Regs[1], r.Regs[2], r.Regs[3], r.Regs[4], r.Regs[5]}
	if op == sys.SyscallExit {
		in.Words = [8]uint64{r.Regs[0]}
	}
	return 0
}

// frameResult is the distance from the stack pointer at the start of a signal
// handler to the saved result of the interrupted call: struct rt_sigframe of
// arch/arm64/kernel/signal.c, regs[0] of its sigcontext.
const frameResult = 128 + 176 + 8

// skipCall makes the call at whose entry tid has stopped one that is not
// carried out and gives result.
func skipCall(tid int, result int64) {
	var r sys.Regs
	if _, errno := sys.GetRegs(tid, &r); errno != 0 {
		return // it has died
	}
	r.Regs[0] = uint64(result)
	_ = sys.SetRegs(tid, &r)
	_ = sys.SetSystemCall(tid, -1)
}

// setArgument0 changes the first argument of the call at whose entry tid has
// stopped. At the exit that register holds the result, and nothing is changed.
func setArgument0(tid int, v uint64, exit bool) bool {
	var r sys.Regs
	if _, errno := sys.GetRegs(tid, &r); errno != 0 || exit {
		return false
	}
	r.Regs[0] = v
	return sys.SetRegs(tid, &r) == 0
}

// endedByEINTR reports whether th, which has stopped for a signal, has just
// ended a call with EINTR. The first argument of the call is lost by then, so
// it has to be a call that was recorded.
func endedByEINTR(th *thread) bool { return th.unsure }

// callAgain makes that call begin again. The kernel, which on this architecture
// decides about restarts before a tracer sees the signal, will not help.
func callAgain(th *thread) bool {
	var r sys.Regs
	if _, errno := sys.GetRegs(th.tid, &r); errno != 0 {
		return false
	}
	r.Regs[0] = th.call.args[0]
	r.Pc -= callInstruction
	return sys.SetRegs(th.tid, &r) == 0
}

// enterAgain has th, which has stopped at the entry of a call, leave the kernel
// without the call and come to it again. A 32-bit program has instructions of
// two lengths, and makes its call.
func enterAgain(th *thread) {
	const size = 34 * 8 // struct user_pt_regs
	var r sys.Regs
	if n, errno := sys.GetRegs(th.tid, &r); errno != 0 || n != size {
		return
	}
	r.Pc -= callInstruction
	if sys.SetSystemCall(th.tid, -1) == 0 {
		_ = sys.SetRegs(th.tid, &r)
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
// only a signal that is noticed may do that. A close has closed its file.
func undisturb(th *thread) {
	var r sys.Regs
	c := &th.call
	if _, errno := sys.GetRegs(th.tid, &r); errno != 0 || c.ip == 0 || c.nr == unix.SYS_CLOSE {
		return
	}
	if int64(r.Regs[0]) == -int64(unix.EINTR) && r.Pc == c.ip && r.Sp == c.sp {
		callAgain(th)
	}
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
