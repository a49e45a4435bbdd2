package event

import (
	"encoding/binary"
	"math"

	"github.com/pdig/pdig/syscalls"
)

// Cut returns the record that b, the content of a ring, begins with: nil if b
// ends before it does. ok is false if these bytes are no record; then nobody knows
// where the next one begins.
func Cut(b []byte) (rec []byte, ok bool) {
	if len(b) < HeaderSize {
		return nil, true
	}
	n := binary.NativeEndian.Uint32(b[offLen:])
	if n < HeaderSize || n > MaxSize {
		return nil, false
	}
	if uint64(n) > uint64(len(b)) {
		return nil, true
	}
	return b[:n:n], true
}

// Odd is why a record of [Cut] is of no use: its type is not in the table, there is
// no room for as many lengths as it says to have parameters, or it has no time.
// It is [NumCauses] for one that is as it should be, but for those lengths.
func Odd(rec []byte) Cause {
	switch {
	case binary.NativeEndian.Uint16(rec[offType:]) >= syscalls.NumEvents:
		return CauseUnknown
	case uint64(binary.NativeEndian.Uint32(rec[offParams:]))*2 > uint64(len(rec)-HeaderSize),
		binary.NativeEndian.Uint64(rec) == math.MaxUint64:
		return CauseCorrupt
	}
	return NumCauses
}

// Type is the type of a record of [Cut].
func Type(rec []byte) uint16 { return binary.NativeEndian.Uint16(rec[offType:]) }

// Time is the time of a record of [Cut], ns since the epoch.
func Time(rec []byte) uint64 { return binary.NativeEndian.Uint64(rec) }
