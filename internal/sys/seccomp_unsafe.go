package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// FilterBytes are the instructions of a filter as the kernel reads them.
func FilterBytes(f []unix.SockFilter) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), len(f)*unix.SizeofSockFilter)
}

// FilterFlags are those that a filter is installed with. Without SPEC_ALLOW kernels
// before 5.16 slow the filtered process down by mitigations that its speculation
// does not need because of us.
func FilterFlags() uint64 {
	if ProbeFilter(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW) == unix.EFAULT {
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	return 0
}

// ProbeFilter asks the kernel for a filter that is not there: EFAULT if it knows all of
// the flags, which it reads before.
func ProbeFilter(flags uint64) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), 0)
	return errno
}
