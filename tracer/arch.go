package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// abi is a system-call ABI of the running kernel.
type abi struct {
	audit uint32 // AUDIT_ARCH_*
	arch  syscalls.Arch
	bit   uint32 // set in every number of this ABI: x32
}

// number returns the call number and the table for it. Numbers of an
// unknown ABI are in no table: arch is syscalls.NumArch then.
func number(audit uint32, nr uint64) (arch syscalls.Arch, n int) {
	n = int(int32(nr))
	switch audit {
	case unix.AUDIT_ARCH_X86_64:
		return syscalls.AMD64, n &^ seccomp.X32
	case unix.AUDIT_ARCH_AARCH64:
		return syscalls.ARM64, n
	case unix.AUDIT_ARCH_I386:
		return syscalls.I386, n
	case unix.AUDIT_ARCH_ARM:
		return syscalls.ARM, n
	}
	return syscalls.NumArch, n
}

// narrow reports whether the calls of an ABI are those of 32-bit programs.
func narrow(audit uint32) bool {
	return audit == unix.AUDIT_ARCH_I386 || audit == unix.AUDIT_ARCH_ARM
}

// firstX32 is the first number of the calls that x32 has twice: what native
// programs call by their numbers takes structures of another layout here
// (arch/x86/entry/syscalls/syscall_64.tbl).
const firstX32 = 512

// x32 are the numbers of the same calls among the native ones, from firstX32 on.
var x32 = [...]int{
	13, 15, 16, 19, 20, 45, 46, 47, 59, 101, 127, 128, 129, 131, 222, 244, 246, 247,
	273, 274, 278, 279, 295, 296, 297, 299, 307, 310, 311, 54, 55, 206, 209, 322, 327, 328,
}

// index is the place in [syscalls.Calls] of a call number, or -1. Before Linux
// 5.4 native programs could make the calls of x32 too, without its bit.
func index(arch syscalls.Arch, n int) int {
	if i := n - firstX32; arch == syscalls.AMD64 && i >= 0 && i < len(x32) {
		n = x32[i]
	}
	return syscalls.Index(arch, n)
}

// narrowX32 reports whether number n is one of those calls, with pointers of 32
// bits. Times are as wide as native ones, so options of sockets are too.
func narrowX32(n int) bool {
	const setsockopt = 541
	return n >= firstX32 && n < firstX32+len(x32) && n != setsockopt
}
