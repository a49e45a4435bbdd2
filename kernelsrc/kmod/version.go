package kmod

import "fmt"

// Version is that of an interface of the module: bits 44 to 62 are the major
// number, 24 to 43 the minor one, 0 to 23 the patch (driver/ppm_api_version.h).
type Version uint64

// Make returns a version.
func Make(major, minor, patch uint64) Version { return Version(major<<44 | minor<<24 | patch) }

// Major is the number that changes when a consumer has to change.
func (v Version) Major() uint64 { return uint64(v) >> 44 & 0x7ffff }

func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major(), uint64(v)>>24&0xfffff, uint64(v)&0xffffff)
}

// The newest versions of the two interfaces that are known: rings and requests,
// and events.
const (
	newestAPI    = 10
	newestSchema = 4
)

// VersionError is a module whose interface is not known.
type VersionError struct {
	Name        string // of the module
	API, Schema Version
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the module %s has API version %s and schema version %s, known are API versions 1 to %d and schema versions 1 to %d: load a driver of Falco 0.33 to 0.44 or Debian's",
		e.Name, e.API, e.Schema, newestAPI, newestSchema)
}

// known reports whether a module of these versions can be read.
func known(api, schema Version) bool {
	return api.Major() >= 1 && api.Major() <= newestAPI && schema.Major() >= 1 && schema.Major() <= newestSchema
}

// counters are the places of the counters of lost records in a ring's page, in
// bytes; that of a full ring is the same everywhere.
type counters struct{ memory, nested int }

func (v Version) counters() counters {
	switch {
	case v < Make(2, 0, 0):
		return counters{24, 32}
	case v < Make(5, 0, 0):
		return counters{120, 128}
	case v < Make(8, 0, 4):
		return counters{136, 144}
	}
	return counters{104, 112}
}
