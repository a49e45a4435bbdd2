package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping is struct procmap_query of include/uapi/linux/fs.h: a mapping of a
// process. Kernels before 6.11 do not tell it.
type Mapping struct {
	size, query, address uint64
	Start, End           uint64
	Flags                uint64 // MappingPermissions and whether it is shared
	_                    [7]uint64
}

// MappingPermissions are the flags that a mapping without any access lacks.
const MappingPermissions = 1 | 2 | 4

const (
	procmapQuery = 0xc0686611 // PROCMAP_QUERY, _IOWR('f', 17, struct procmap_query)
	coveringNext = 0x10       // PROCMAP_QUERY_COVERING_OR_NEXT_VMA
)

// Get finds the mapping at addr, or else the next one behind it, through an open
// /proc/PID/maps. It returns ENOENT if there is none.
func (m *Mapping) Get(maps int, addr uint64) unix.Errno {
	*m = Mapping{size: uint64(unsafe.Sizeof(*m)), query: coveringNext, address: addr}
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(maps), procmapQuery, uintptr(unsafe.Pointer(m)))
	return errno
}
