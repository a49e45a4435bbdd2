package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// callInfo is struct ptrace_syscall_info.
type callInfo struct {
	Op    uint8
	_     [3]byte
	Arch  uint32
	IP    uint64
	SP    uint64
	Words [8]uint64 // number and arguments of an entry; result of an exit
}

// infoExit is PTRACE_SYSCALL_INFO_EXIT.
const infoExit = 2

func getCall(tid int) (callInfo, error) {
	var in callInfo
	errno := ptrace(unix.PTRACE_GET_SYSCALL_INFO, tid, unsafe.Sizeof(in), uintptr(unsafe.Pointer(&in)))
	return in, errno
}

func ptrace(request, tid int, address, data uintptr) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), address, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
