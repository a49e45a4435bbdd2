package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Register sets, NT_* of uapi/linux/elf.h.
const (
	ntPrStatus      = 1
	ntArmSystemCall = 0x404
)

// Regs are the general registers of a thread, in the kernel's layout of the
// architecture.
type Regs = unix.PtraceRegs

// GetRegs reads the registers of a stopped thread: PTRACE_GETREGSET with
// NT_PRSTATUS. A 32-bit thread has other ones; n is how many bytes were read.
func GetRegs(tid int, regs *Regs) (n int, errno unix.Errno) {
	iov := unix.Iovec{Base: (*byte)(unsafe.Pointer(regs))}
	iov.SetLen(int(unsafe.Sizeof(*regs)))
	errno = Ptrace(unix.PTRACE_GETREGSET, tid, ntPrStatus, uintptr(unsafe.Pointer(&iov)))
	return int(iov.Len), errno
}

// SetRegs writes the registers of a stopped thread.
func SetRegs(tid int, regs *Regs) unix.Errno {
	iov := unix.Iovec{Base: (*byte)(unsafe.Pointer(regs))}
	iov.SetLen(int(unsafe.Sizeof(*regs)))
	return Ptrace(unix.PTRACE_SETREGSET, tid, ntPrStatus, uintptr(unsafe.Pointer(&iov)))
}

// SetSystemCall changes the number of the call that an arm64 thread is about to
// make; -1 makes none.
func SetSystemCall(tid int, nr int32) unix.Errno {
	iov := unix.Iovec{Base: (*byte)(unsafe.Pointer(&nr))}
	iov.SetLen(int(unsafe.Sizeof(nr)))
	return Ptrace(unix.PTRACE_SETREGSET, tid, ntArmSystemCall, uintptr(unsafe.Pointer(&iov)))
}

// SystemCall is the number of the call that an arm64 thread is in, -1 if it is in none.
func SystemCall(tid int) (nr int32, errno unix.Errno) {
	iov := unix.Iovec{Base: (*byte)(unsafe.Pointer(&nr))}
	iov.SetLen(int(unsafe.Sizeof(nr)))
	errno = Ptrace(unix.PTRACE_GETREGSET, tid, ntArmSystemCall, uintptr(unsafe.Pointer(&iov)))
	return nr, errno
}
