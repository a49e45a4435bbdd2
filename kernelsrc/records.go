package kernelsrc

import "github.com/pdig/pdig/event"

// TypeHotplug is the type of a record that no thread has made: a CPU without a ring was
// seen.
const TypeHotplug = 244

// FreeEvery is after which part of a ring its room is given back.
const FreeEvery = 8

// Bad counts what was found in rings and is no event.
type Bad struct{ Unknown, Corrupt uint64 }

// Is reports whether a record of [event.Cut] is none, and counts it.
func (b *Bad) Is(rec []byte) bool {
	switch event.Odd(rec) {
	case event.NumCauses:
		return false
	case event.CauseUnknown:
		b.Unknown++
	default:
		b.Corrupt++
	}
	return true
}

// AddTo adds what was counted to the losses of a source.
func (b *Bad) AddTo(s *event.Stats) {
	s.Lost[event.CauseUnknown] += b.Unknown
	s.Lost[event.CauseCorrupt] += b.Corrupt
}
