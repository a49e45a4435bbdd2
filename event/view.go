package event

import (
	"bytes"
	"encoding/binary"

	"github.com/pdig/pdig/syscalls"
)

// View gives access to the parts of one record without copying it. It is valid
// as long as the record is. The zero View is an event without parameters that
// has no [View.Info].
type View struct {
	Style Style // as which it is shown; [View.Parse] leaves it as it is

	rec    []byte // the record without what follows it
	behind []byte // the record of its truth
	info   *syscalls.Event
	time   uint64
	tid    int64
	typ    uint16
	params int
	start  [MaxParams + 1]uint32 // of each parameter, and the end of the last
}

// Length returns the length of the record that rec begins with, as the record
// states it, and whether rec is long enough to tell: 20 bytes.
func Length(rec []byte) (int, bool) {
	if len(rec) < offType {
		return 0, false
	}
	return int(binary.NativeEndian.Uint32(rec[offLen:])), true
}

// Parse makes v a view of the record that rec begins with, without copying or
// allocating. Bytes behind the record, and behind the last parameter within it,
// are tolerated; only a [Truth] there is looked at. On an error v stays what it was, but
// may lose its parameters. Errors are
// [ErrTruncated], [ErrLength] if the lengths within the record contradict each
// other or there are more than [MaxParams] parameters, and [ErrUnknownType] if
// the record is complete but of no type of the table.
func (v *View) Parse(rec []byte) error {
	if len(rec) < HeaderSize {
		return ErrTruncated // bare sentinels: wrapping would allocate per record
	}
	size := uint64(binary.NativeEndian.Uint32(rec[offLen:]))
	if size > uint64(len(rec)) {
		return ErrTruncated
	}
	if size < HeaderSize {
		return ErrLength
	}
	typ := binary.NativeEndian.Uint16(rec[offType:])
	if int(typ) >= len(syscalls.Events) {
		return ErrUnknownType
	}
	info := &syscalls.Events[typ]
	n := uint64(binary.NativeEndian.Uint32(rec[offParams:]))
	if n > MaxParams {
		return ErrLength
	}

	// Each length is looked at once: whoever writes into the ring meanwhile gets what
	// ends at the end of the record.
	width := uint64(lengthWidth(info))
	at := HeaderSize + n*width
	if at > size {
		return ErrLength
	}
	lengths, start := rec[HeaderSize:at], v.start[:n+1]
	start[0] = uint32(at)
	if width == 2 {
		for i := range start[1:] {
			at += uint64(binary.NativeEndian.Uint16(lengths[2*i:]))
			start[i+1] = uint32(at)
		}
	} else {
		for i := range start[1:] {
			at += uint64(binary.NativeEndian.Uint32(lengths[4*i:]))
			start[i+1] = uint32(at)
		}
	}
	if at > size {
		v.params = 0 // those of the record before are overwritten
		return ErrLength
	}

	v.rec, v.behind = rec[:size:size], nil
	if n, _ := TruthSize(rec[size:]); n > 0 {
		v.rec, v.behind = rec[:size], rec[size:size+uint64(n)]
	}
	v.info = info
	v.time = binary.NativeEndian.Uint64(rec[offTime:])
	v.tid = int64(binary.NativeEndian.Uint64(rec[offTID:]))
	v.typ = typ
	v.params = int(n)
	return nil
}

// lengthWidth is the size of a parameter's length in the record.
func lengthWidth(info *syscalls.Event) int {
	if info.Flags&syscalls.LargePayload != 0 {
		return 4
	}
	return 2
}

// Time returns when it happened, in nanoseconds since the Unix epoch.
func (v *View) Time() uint64 { return v.time }

// TID returns the thread, -1 for an event that belongs to none.
func (v *View) TID() int64 { return v.tid }

// Type returns the event code, an index into [syscalls.Events].
func (v *View) Type() uint16 { return v.typ }

// Len returns the size of the whole record.
func (v *View) Len() int { return len(v.rec) }

// Bytes returns the whole record, borrowed.
func (v *View) Bytes() []byte { return v.rec[:len(v.rec):len(v.rec)] }

// NumParams returns the number of parameters in the record, which may be more
// or less than the table has.
func (v *View) NumParams() int { return v.params }

// Info returns the table's entry of the event's type.
func (v *View) Info() *syscalls.Event { return v.info }

// Param returns the bytes of parameter i, borrowed, or nil if the record does
// not have it. An empty parameter is not nil.
func (v *View) Param(i int) []byte {
	if uint(i) >= uint(v.params) {
		return nil
	}
	return v.rec[v.start[i]:v.start[i+1]:v.start[i+1]]
}

// Uint returns parameter i as an unsigned number, and whether it is there and
// 1, 2, 4 or 8 bytes long.
func (v *View) Uint(i int) (uint64, bool) {
	n, _, ok := number(v.Param(i))
	return n, ok
}

// Int returns parameter i as a signed number, and whether it is there and 1, 2,
// 4 or 8 bytes long.
func (v *View) Int(i int) (int64, bool) {
	_, n, ok := number(v.Param(i))
	return n, ok
}

// Str returns parameter i up to its first NUL, borrowed, or nil if the record
// does not have it.
func (v *View) Str(i int) []byte { return cstring(v.Param(i)) }

// Failed reports whether the result of a call, or the descriptor that it was to
// make, is an error. Where a call begins nothing has failed yet.
func (v *View) Failed() bool {
	if syscalls.IsEnter(v.typ) {
		return false
	}
	for i := range v.info.Params {
		if name := v.info.Params[i].Name; name == "res" || name == "fd" && i == 0 {
			n, ok := v.Int(i)
			return ok && n < 0
		}
	}
	return false
}

// number reads b, once, as an unsigned and as a signed number.
func number(b []byte) (u uint64, s int64, ok bool) {
	switch len(b) {
	case 1:
		n := b[0]
		return uint64(n), int64(int8(n)), true
	case 2:
		n := binary.NativeEndian.Uint16(b)
		return uint64(n), int64(int16(n)), true
	case 4:
		n := binary.NativeEndian.Uint32(b)
		return uint64(n), int64(int32(n)), true
	case 8:
		n := binary.NativeEndian.Uint64(b)
		return n, int64(n), true
	}
	return 0, 0, false
}

// cstring is b up to its first NUL.
func cstring(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
