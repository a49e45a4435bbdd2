package sys

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// KeepCapabilities takes from all threads of this process the capabilities that
// are not in mask, for good: bit n is capability n. Nothing is inherited any more.
// [errors.ErrUnsupported]: a program with C in it cannot do that.
func KeepCapabilities(mask uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	if err := boundCapabilities(mask); err != nil {
		return err
	}
	for i := range data {
		part := uint32(mask >> (32 * i))
		data[i].Permitted &= part
		data[i].Effective &= part
		data[i].Inheritable = 0
	}
	header.Pid = 0 // each thread changes its own
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// boundCapabilities limits what a program gets that this one becomes. Without
// CAP_SETPCAP it has no say in that.
func boundCapabilities(mask uint64) error {
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if mask>>c&1 != 0 {
			continue
		}
		_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		if errno != 0 && !errors.Is(errno, unix.EPERM) && !errors.Is(errno, unix.EINVAL) {
			return errno
		}
	}
	return nil
}
