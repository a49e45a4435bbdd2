package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The functions of this file take a path that ends with a NUL byte, follow
// links, and do not tell the scheduler of the runtime: they are for files of
// /proc.

// atFDCWD is AT_FDCWD as an argument of a system call.
const atFDCWD = ^uintptr(99)

// OpenPath is open.
func OpenPath(path []byte, flags int) (fd int, errno unix.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, atFDCWD, uintptr(unsafe.Pointer(&path[0])), uintptr(flags), 0, 0, 0)
	return int(r), errno
}

// StatPath is stat.
func StatPath(path []byte, st *unix.Stat_t) unix.Errno {
	_, _, errno := unix.RawSyscall6(sysNewfstatat, atFDCWD, uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(st)), 0, 0, 0)
	return errno
}

// Statx is statx that takes what is known already of a file (AT_STATX_DONT_SYNC)
// and does not ask its server.
func Statx(path []byte, mask int, st *unix.Statx_t) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_STATX, atFDCWD, uintptr(unsafe.Pointer(&path[0])), unix.AT_STATX_DONT_SYNC, uintptr(mask), uintptr(unsafe.Pointer(st)), 0)
	return errno
}

// StatFS is statfs.
func StatFS(path []byte, st *unix.Statfs_t) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_STATFS, uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(st)), 0)
	return errno
}

// ReadLink is readlink: where the link itself leads.
func ReadLink(path, buf []byte) (n int, errno unix.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_READLINKAT, atFDCWD, uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	return int(r), errno
}

// Handle is struct file_handle with as many bytes as the kernel may give.
type Handle struct {
	Size  uint32
	Type  int32
	Bytes [128]byte
}

// Get is name_to_handle_at for who only wants to compare: the kernel need not be
// able to open such a handle (AT_HANDLE_FID, Linux 6.5).
func (h *Handle) Get(path []byte) unix.Errno {
	const handleFID = 0x200
	var mount int32
	h.Size = uint32(len(h.Bytes))
	_, _, errno := unix.RawSyscall6(unix.SYS_NAME_TO_HANDLE_AT, atFDCWD, uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(h)),
		uintptr(unsafe.Pointer(&mount)), unix.AT_SYMLINK_FOLLOW|handleFID, 0)
	return errno
}
