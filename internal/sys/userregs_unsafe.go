//go:build amd64

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// GetUserRegs reads the registers of a stopped thread: PTRACE_GETREGS, which gives
// struct user_regs_struct of a 32-bit thread too. A register set, which
// unix.PtraceGetRegs asks for as well, has the 32-bit layout then.
func GetUserRegs(tid int, regs *Regs) unix.Errno {
	return Ptrace(unix.PTRACE_GETREGS, tid, 0, uintptr(unsafe.Pointer(regs)))
}

// SetUserRegs writes what [GetUserRegs] reads.
func SetUserRegs(tid int, regs *Regs) unix.Errno {
	return Ptrace(unix.PTRACE_SETREGS, tid, 0, uintptr(unsafe.Pointer(regs)))
}
