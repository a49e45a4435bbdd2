package kmod

import (
	"fmt"

	"github.com/pdig/pdig/kernelsrc"
)

// Version is that of an interface of the module.
type Version = kernelsrc.Version

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

func countersOf(v Version) counters {
	switch {
	case v < kernelsrc.MakeVersion(2, 0, 0):
		return counters{24, 32}
	case v < kernelsrc.MakeVersion(5, 0, 0):
		return counters{120, 128}
	case v < kernelsrc.MakeVersion(8, 0, 4):
		return counters{136, 144}
	}
	return counters{104, 112}
}
