package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// What a thread is stopped in the kernel tells with one request since 5.3. Older
// ones, gVisor, and filters that know no such request do not: then it is put
// together from the signal of the stop, the registers and what has happened
// before. That takes two or three requests, and a look at the code of the program
// for what registers do not show.

// read fills t.in with what th is stopped in. It returns false if th has died.
func (t *Tracer) read(th *thread) bool {
	if !t.regs {
		switch t.in.Get(th.tid) {
		case 0:
			t.dropUpper()
			return true
		case unix.EIO, unix.EINVAL, unix.ENOSYS, unix.EPERM:
			t.regs = true
		default:
			return false
		}
	}
	return t.readRegs(th)
}

// dropUpper leaves of the arguments of a 32-bit call what the kernel does: a thread of 64
// bits, which makes one by int 0x80, may have anything in the upper halves of registers.
func (t *Tracer) dropUpper() {
	if !narrow(t.in.Arch) || t.in.Op == sys.SyscallExit {
		return
	}
	args := t.in.Words[1:7]
	for i := range args {
		args[i] = uint64(uint32(args[i]))
	}
}

// readRegs is read for where the kernel does not tell.
func (t *Tracer) readRegs(th *thread) bool {
	var info sys.SigInfo
	if info.Get(th.tid) != 0 {
		return false
	}
	op := uint8(sys.SyscallNone)
	switch info.Code {
	case seccompStop:
		op = sys.SyscallSeccomp
	case int32(callStop):
		if op = sys.SyscallExit; th.inside {
			op = sys.SyscallEntry
		}
	}
	if infoFromRegs(th, &t.in, op) != 0 {
		return false
	}
	if op == sys.SyscallSeccomp {
		data, errno := sys.EventMessage(th.tid)
		t.in.Words[7] = data
		return errno == 0
	}
	return true
}

// seccompStop is the code of the signal of that stop (kernel/ptrace.c, ptrace_event).
const seccompStop = int32(unix.SIGTRAP) | unix.PTRACE_EVENT_SECCOMP<<8

// turned notes for a stop on which side of a call it leaves th. Those at both ends
// of a call come in turn; signals and stops are reported outside of calls only, and
// all events but that of a stop inside of them.
func (th *thread) turned(event, sig int) {
	switch {
	case event == unix.PTRACE_EVENT_STOP:
		th.inside = false
	case event != 0:
		th.inside = true
	case sig == callStop:
		th.inside = !th.inside
	default:
		th.inside = false
	}
}
