// Package kernelsrc holds what the sources of events of a kernel have in common.
package kernelsrc

import "fmt"

// Version is that of an interface of a driver: bits 44 to 62 are the major number,
// 24 to 43 the minor one, 0 to 23 the patch (driver/ppm_api_version.h).
type Version uint64

// MakeVersion returns a version.
func MakeVersion(major, minor, patch uint64) Version {
	return Version(major<<44 | minor<<24 | patch)
}

// Major is the number that changes when a consumer has to change.
func (v Version) Major() uint64 { return uint64(v) >> 44 & 0x7ffff }

func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major(), uint64(v)>>24&0xfffff, uint64(v)&0xffffff)
}
