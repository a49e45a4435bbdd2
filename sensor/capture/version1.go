package capture

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// Records of the first version have no number of parameters in their header.
const (
	minRecord = 22
	offLen    = 16
	offType   = 20
	offParams = 22
)

// Types whose length was written wrong, by three bytes too long.
const (
	notification   = 280
	infrastructure = 286
)

// event1 is the record of a block of the first version, as one of today.
func (r *Reader) event1(size uint32, flags int) ([]byte, error) {
	b, err := r.payload(size, maxEventBlock, flags)
	if err != nil {
		return nil, err
	}
	n := uint64(r.order.u32(b[offLen:]))
	typ := r.order.u16(b[offType:])
	if typ == notification || typ == infrastructure {
		n -= min(n, 3)
	}
	if n < minRecord || n > uint64(len(b)) {
		return nil, ErrBlock
	}
	b = b[:n]
	if r.rec == nil {
		r.rec = make([]byte, 0, maxEventBlock+4)
	}
	rec := append(r.rec[:0], b[:offParams]...)
	rec = append(rec, 0, 0, 0, 0)
	rec = append(rec, b[offParams:]...)
	r.order.putU32(rec[offLen:], uint32(len(rec)))
	if int(typ) < syscalls.NumEvents {
		params, ok := r.countParams(typ, b[offParams:])
		if !ok {
			return nil, ErrBlock
		}
		r.order.putU32(rec[offParams:], uint32(params))
	}
	if r.order == foreign {
		turn(rec)
	}
	r.rec = rec
	return rec, nil
}

// countParams finds the number of parameters: the largest that the lengths and
// the values behind them fill the record with.
func (r *Reader) countParams(typ uint16, b []byte) (int, bool) {
	_, most := event.Edition(typ)
	for n := most; n >= 0; n-- {
		size := 2 * n
		if size > len(b) {
			continue
		}
		for i := range n {
			size += int(r.order.u16(b[2*i:]))
		}
		if size == len(b) {
			return n, true
		}
	}
	return 0, false
}
