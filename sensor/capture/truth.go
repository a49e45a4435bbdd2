package capture

import "github.com/pdig/pdig/event"

// The truth of an event stands in the block of the event, behind its record. Other
// readers go by the length of the record and skip what is left of the block, as
// they do with its padding; a block of its own among the events would end the reading
// of libscap ("unexpected block").

// withTruth is the record of n bytes that b begins with, and its truth.
func withTruth(b []byte, n int) []byte {
	size, _ := event.TruthSize(b[n:])
	return b[: n+size : n+size]
}

// storable is as much of a record and its truth as fits into an ordinary block.
func storable(rec []byte, around int) []byte {
	n, ok := event.Length(rec)
	if ok && n >= event.HeaderSize && n < len(rec) && len(rec)+around > maxEventBlock {
		return rec[:n]
	}
	return rec
}
