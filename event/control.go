package event

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Sizes of struct cmsghdr, the head of a piece of ancillary data: a word, the level,
// the type. What follows begins and ends at a multiple of the word. Records have
// those of 64-bit programs, but for producers that copy what 32-bit ones have.
const (
	ControlHeader       = 8 + 8
	NarrowControlHeader = 4 + 8
)

// MaxRights bounds the descriptors of a message: the kernel's SCM_MAX_FD.
const MaxRights = 253

// AppendRights appends the descriptors that came with ancillary data, which is not
// trusted: at most as many as the kernel sends. header is one of the sizes above.
func AppendRights(dst []int32, control []byte, header int) []int32 {
	for len(control) >= header {
		n := uint64(binary.NativeEndian.Uint32(control))
		if header == ControlHeader {
			n = binary.NativeEndian.Uint64(control)
		}
		if n < uint64(header) || n > uint64(len(control)) {
			break
		}
		level, typ := binary.NativeEndian.Uint32(control[header-8:]), binary.NativeEndian.Uint32(control[header-4:])
		if level == unix.SOL_SOCKET && typ == unix.SCM_RIGHTS {
			for fds := control[header:n]; len(fds) >= 4 && len(dst) < MaxRights; fds = fds[4:] {
				dst = append(dst, int32(binary.NativeEndian.Uint32(fds)))
			}
		}
		align := uint64(header-8) - 1 // of a word
		control = control[min((n+align)&^align, uint64(len(control))):]
	}
	return dst
}
