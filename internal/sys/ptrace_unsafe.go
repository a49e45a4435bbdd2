package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ptrace makes one ptrace request. It does not tell the scheduler of the
// runtime, because no request of a tracer on a stopped tracee blocks.
// Preconditions: the calling thread is the tracer.
func Ptrace(request, tid int, addr, data uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return errno
}

// Peek fills buf from the memory of tid at addr, word by word, and returns how many
// bytes that was: PTRACE_PEEKDATA. A word is read as a whole, so that a page
// behind buf is not looked at.
func Peek(tid int, buf []byte, addr uint64) int {
	const size = uint64(unsafe.Sizeof(uintptr(0)))
	for n := 0; n < len(buf); {
		var word [size]byte
		at := addr + uint64(n)
		if Ptrace(unix.PTRACE_PEEKDATA, tid, uintptr(at&^(size-1)), uintptr(unsafe.Pointer(&word))) != 0 {
			return n
		}
		n += copy(buf[n:], word[at&(size-1):])
	}
	return len(buf)
}

// EventMessage is PTRACE_GETEVENTMSG.
func EventMessage(tid int) (uint64, unix.Errno) {
	var msg uint64
	errno := Ptrace(unix.PTRACE_GETEVENTMSG, tid, 0, uintptr(unsafe.Pointer(&msg)))
	return msg, errno
}

// MessageOf is the message of an event that tid has stopped in. ok is false if it
// is not there any more: it has been killed and is on its way, or stops before its
// death already, which has a message of its own.
func MessageOf(tid, event int) (msg uint64, ok bool) {
	msg, errno := EventMessage(tid)
	if errno != 0 {
		return 0, false
	}
	var info SigInfo
	return msg, info.Get(tid) == 0 && int(info.Code)>>8 == event
}

// SigInfo is the beginning of the kernel's siginfo_t.
type SigInfo struct {
	Signo, Errno, Code int32
	_                  int32
	PID                int32 // of the sender, for a Code below 1
	_                  int32
	Status             int32 // of a child
	_                  int32
	_                  [12]uint64
}

// Get reads the signal of the stop of tid: PTRACE_GETSIGINFO.
func (s *SigInfo) Get(tid int) unix.Errno {
	return Ptrace(unix.PTRACE_GETSIGINFO, tid, 0, uintptr(unsafe.Pointer(s)))
}

// Set changes it: PTRACE_SETSIGINFO.
func (s *SigInfo) Set(tid int) unix.Errno {
	return Ptrace(unix.PTRACE_SETSIGINFO, tid, 0, uintptr(unsafe.Pointer(s)))
}

// Operations of a [SyscallInfo]: PTRACE_SYSCALL_INFO_* of the kernel's uapi/linux/ptrace.h.
const (
	SyscallNone    = 0
	SyscallEntry   = 1
	SyscallExit    = 2
	SyscallSeccomp = 3
)

// SyscallInfo is struct ptrace_syscall_info of uapi/linux/ptrace.h (5.3). The
// words are, of an entry or a seccomp stop, the number and the six arguments;
// of an exit, the result.
type SyscallInfo struct {
	Op    uint8
	_     [3]uint8
	Arch  uint32 // AUDIT_ARCH_*
	IP    uint64
	SP    uint64
	Words [8]uint64
}

// Get reads what tid is stopped in: PTRACE_GET_SYSCALL_INFO. Kernels before
// 5.3 and gVisor answer EIO.
func (s *SyscallInfo) Get(tid int) unix.Errno {
	return Ptrace(unix.PTRACE_GET_SYSCALL_INFO, tid, unsafe.Sizeof(*s), uintptr(unsafe.Pointer(s)))
}

// Wait waits for any child or tracee, whatever its exit signal: wait4 with
// __WALL and the given options.
//
// The runtime does not know that it blocks: that makes a stop a tenth cheaper,
// but the world cannot be stopped meanwhile. So it is for a process that lets
// no collection begin on its own (debug.SetGCPercent(-1)).
func Wait(status *uint32, options int) (tid int, errno unix.Errno) {
	return WaitFor(-1, status, options)
}

// WaitFor is Wait for one of them.
func WaitFor(id int, status *uint32, options int) (tid int, errno unix.Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(id), uintptr(unsafe.Pointer(status)), uintptr(unix.WALL|options), 0, 0, 0)
	return int(int32(r)), e
}

// WaitStop looks for a stop of any child or tracee of the calling thread, as wait4 tells of it, and leaves
// all deaths to others. tid is 0 if there is none.
func WaitStop(status *uint32) (tid int, errno unix.Errno) {
	var info SigInfo
	_, _, errno = unix.RawSyscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)),
		unix.WSTOPPED|unix.WNOHANG|unix.WALL|unix.WNOTHREAD, 0, 0)
	*status = uint32(info.Status)<<8 | stoppedStatus
	return int(info.PID), errno
}

// stoppedStatus is the low byte of the status of a stop.
const stoppedStatus = 0x7f

// Died returns the signal that has ended tid, 0 for none or while it lives, and
// leaves the report of its death to [Wait]: waitid with WNOWAIT.
func Died(tid int) unix.Signal {
	var info SigInfo
	_, _, errno := unix.RawSyscall6(unix.SYS_WAITID, unix.P_PID, uintptr(tid), uintptr(unsafe.Pointer(&info)),
		unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, 0, 0)
	if errno != 0 || info.PID == 0 || info.Code != childKilled && info.Code != childDumped {
		return 0
	}
	return unix.Signal(info.Status)
}

// Codes of the SigInfo of a child: CLD_KILLED and CLD_DUMPED of the kernel's
// uapi/asm-generic/siginfo.h.
const (
	childKilled = 2
	childDumped = 3
)

// Pread is pread64 without the scheduler of the runtime, for files that do not
// block: a memory file, a file of /proc.
func Pread(fd int, buf []byte, offset uint64) (int, unix.Errno) {
	if len(buf) == 0 {
		return 0, 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), uintptr(offset), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// ReadProcess is process_vm_readv of one range.
func ReadProcess(pid int, buf []byte, addr uint64) (int, unix.Errno) {
	if len(buf) == 0 {
		return 0, 0
	}
	local := unix.Iovec{Base: &buf[0]}
	local.SetLen(len(buf))
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(buf)}
	n, _, errno := unix.RawSyscall6(unix.SYS_PROCESS_VM_READV, uintptr(pid),
		uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// GetSigmask reads the signals that the stopped thread tid blocks:
// PTRACE_GETSIGMASK.
func GetSigmask(tid int, mask *uint64) unix.Errno {
	return Ptrace(unix.PTRACE_GETSIGMASK, tid, unsafe.Sizeof(*mask), uintptr(unsafe.Pointer(mask)))
}

// SetSigmask changes them. SIGKILL and SIGSTOP are never blocked.
func SetSigmask(tid int, mask uint64) unix.Errno {
	return Ptrace(unix.PTRACE_SETSIGMASK, tid, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
}
