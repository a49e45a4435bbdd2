package tracer

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// Programs of 32 bits hand some arguments over in another way. At the entry of such
// a call they become what a 64-bit program would pass, so that everything behind
// knows one way only.

// widening changes the arguments of a call.
type widening func(arch syscalls.Arch, args []uint64)

// widenings are by name, of the calls of i386 and 32-bit arm.
var widenings = map[string]widening{
	"pread64":  pair,
	"pwrite64": pair,
	"preadv":   halves,
	"pwritev":  halves,
	"lseek":    func(_ syscalls.Arch, args []uint64) { args[1] = uint64(int64(int32(args[1]))) },
	"_llseek": func(_ syscalls.Arch, args []uint64) { // high, low, where the result goes, whence
		args[1], args[2] = args[1]<<32|args[2], args[4]
	},
	"mmap2": func(_ syscalls.Arch, args []uint64) { args[5] *= 4096 }, // a unit, whatever the pages are

	"setuid":    ids(0),
	"setgid":    ids(0),
	"setfsuid":  ids(0),
	"setfsgid":  ids(0),
	"setreuid":  ids(0, 1),
	"setregid":  ids(0, 1),
	"setresuid": ids(0, 1, 2),
	"setresgid": ids(0, 1, 2),
	"chown":     ids(1, 2),
	"lchown":    ids(1, 2),
	"fchown":    ids(1, 2),

	"semctl": func(arch syscalls.Arch, args []uint64) {
		if arch == syscalls.ARM {
			args[2] &^= ipc64
		}
	},
}

// ipc64 is IPC_64, which says how wide structures are.
const ipc64 = 0x100

// pair makes one of the two registers that have an offset behind three arguments.
// Those of arm are an even one and the next.
func pair(arch syscalls.Arch, args []uint64) {
	low := 3
	if arch == syscalls.ARM {
		low = 4
	}
	args[3] = args[low+1]<<32 | args[low]
}

// halves makes one of the two arguments that are an offset in every ABI.
func halves(_ syscalls.Arch, args []uint64) { args[3] = args[4]<<32 | args[3] }

// ids are users or groups of 16 bits at some arguments; all ones is none
// (include/linux/highuid.h).
func ids(at ...int) widening {
	return func(_ syscalls.Arch, args []uint64) {
		for _, n := range at {
			if args[n] &= 0xffff; args[n] == 0xffff {
				args[n] = 0xffffffff
			}
		}
	}
}

// narrowed makes s the spec of a call of 32-bit programs.
func (s *spec) narrowed() {
	if s.index < 0 {
		return
	}
	name := syscalls.Calls[s.index].Name
	s.widen = widenings[name]
	s.wideTimes = strings.HasSuffix(name, "_time64")
	s.shortIDs = name == "getresuid" || name == "getresgid"
	if name == "mmap" {
		s.fold = foldMap
	}
}

// timeSize is the width of the numbers of a time that is a socket option.
func (c *call) timeSize() uint64 {
	switch c.args[2] {
	case unix.SO_RCVTIMEO_NEW, unix.SO_SNDTIMEO_NEW:
		return 8
	}
	return c.wordSize()
}

// signedAs is the number in b, of 4 or 8 bytes, with its sign.
func signedAs(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(int64(int32(binary.LittleEndian.Uint32(b))))
	}
	return binary.LittleEndian.Uint64(b)
}
