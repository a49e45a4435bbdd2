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
	}
	return syscalls.NumArch, n
}
