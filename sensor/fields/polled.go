package fields

import (
	"encoding/binary"

	"github.com/pdig/pdig/syscalls"
)

// polled is the list of descriptors that an event has, nil if it has none.
func (e *Event) polled() fdList {
	params := e.View.Info().Params
	for i := range params {
		raw := e.View.Param(i)
		if params[i].Type == syscalls.FDList && len(raw) > 2 {
			n := int(binary.NativeEndian.Uint16(raw)) * fdEntry
			return fdList(raw[2:min(2+n, len(raw))])
		}
	}
	return nil
}

// fdList is what is left of a list of descriptors.
type fdList []byte

// fdEntry is the size of one: its number and flags.
const fdEntry = 8 + 2

// next is the first descriptor, which is taken from the list.
func (l *fdList) next() (fd int64, ok bool) {
	if len(*l) < fdEntry {
		return 0, false
	}
	fd = int64(binary.NativeEndian.Uint64(*l))
	*l = (*l)[fdEntry:]
	return fd, true
}
