package cmdline

import "github.com/pdig/pdig/internal/sys"

// dropCapabilities gives up all capabilities but those: in every thread, and for
// good. Those that the sensor does not have it does not get.
func dropCapabilities(keep []int) error {
	var mask uint64
	for _, c := range keep {
		mask |= 1 << c
	}
	return sys.KeepCapabilities(mask)
}
