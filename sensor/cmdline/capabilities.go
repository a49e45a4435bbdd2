package cmdline

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// dropCapabilities gives up all capabilities but those: in every thread, and for
// good. Those that the sensor does not have it does not get.
func dropCapabilities(keep []int) error {
	return sys.KeepCapabilities(capabilityMask(keep, func(c int) bool {
		_, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		return err == nil
	}))
}

// capabilityMask has a bit for each of those capabilities. Before Linux 5.8, which does not
// know CAP_BPF and CAP_PERFMON, CAP_SYS_ADMIN is what they are now.
func capabilityMask(keep []int, known func(int) bool) (mask uint64) {
	for _, c := range keep {
		if (c == unix.CAP_BPF || c == unix.CAP_PERFMON) && !known(c) {
			c = unix.CAP_SYS_ADMIN
		}
		mask |= 1 << c
	}
	return mask
}
