package event

import "encoding/binary"

// Truth is what a call has really worked on, where its event has what the
// program asked for. It stands in a record of its own right behind that of the
// event, which other readers are never given: see package shm for who gets it, and
// sensor/capture for where it is kept.
type Truth struct {
	Mismatch Mismatch
	Object   []byte // path of the file, or address as text; empty if not known
	Argument []byte // the argument as it was when the call had ended, if that is another
}

// Mismatch says what the kernel did not do as the event says, in bits.
type Mismatch uint32

// Kinds of mismatch.
const (
	// ArgumentChanged: the memory of the argument was another when the call had
	// ended than when it began, so nobody knows which of the two the kernel saw.
	ArgumentChanged Mismatch = 1 << iota
	// OtherObject: what the argument of the event leads to is not what the call
	// has worked on.
	OtherObject
)

// String is "argument", "object", both joined by a comma, or "".
func (m Mismatch) String() string {
	switch m & (ArgumentChanged | OtherObject) {
	case ArgumentChanged:
		return "argument"
	case OtherObject:
		return "object"
	case ArgumentChanged | OtherObject:
		return "argument,object"
	}
	return ""
}

// typeTruth is the type of such a record. No table of events goes as far.
const typeTruth = 0xf001

// A record of the truth has three parameters, the lengths of which are u16 as in
// others: the mismatch, the object, the argument.
const (
	truthParams = 3
	truthHeader = HeaderSize + 2*truthParams
)

// EndWith is End for an event with a truth: the record of the event and, right
// behind it, its own. A truth for which there is no room is left out.
func (e *Encoder) EndWith(t *Truth) ([]byte, error) {
	rec, err := e.End()
	if err != nil {
		return nil, err
	}
	size := truthHeader + 4 + len(t.Object) + len(t.Argument)
	if len(t.Object) > MaxParam || len(t.Argument) > MaxParam || size > cap(e.buf)-len(e.buf) {
		return rec, nil
	}
	b := e.buf[len(e.buf) : len(e.buf)+size]
	copy(b, rec[:offLen]) // time and thread are those of the event
	binary.NativeEndian.PutUint32(b[offLen:], uint32(size))
	binary.NativeEndian.PutUint16(b[offType:], typeTruth)
	binary.NativeEndian.PutUint32(b[offParams:], truthParams)
	binary.NativeEndian.PutUint16(b[HeaderSize:], 4)
	binary.NativeEndian.PutUint16(b[HeaderSize+2:], uint16(len(t.Object)))
	binary.NativeEndian.PutUint16(b[HeaderSize+4:], uint16(len(t.Argument)))
	binary.NativeEndian.PutUint32(b[truthHeader:], uint32(t.Mismatch))
	n := copy(b[truthHeader+4:], t.Object)
	copy(b[truthHeader+4+n:], t.Argument)
	return e.buf[: len(e.buf)+size : len(e.buf)+size], nil
}

// TruthSize is the length of the record of a truth that b begins with, 0 if that
// is none. It is not whole if b is too short to tell.
func TruthSize(b []byte) (n int, whole bool) {
	if len(b) < HeaderSize {
		return 0, false
	}
	size := binary.NativeEndian.Uint32(b[offLen:])
	switch {
	case binary.NativeEndian.Uint16(b[offType:]) != typeTruth, size < truthHeader, size > MaxSize:
		return 0, true
	case uint64(size) > uint64(len(b)):
		return 0, false
	}
	return int(size), true
}

// Truth returns the truth that stands behind the event, borrowed, and whether
// there is one.
func (v *View) Truth() (t Truth, ok bool) {
	b := v.behind
	if len(b) < truthHeader+4 {
		return t, false
	}
	mismatch, object, argument := binary.NativeEndian.Uint16(b[HeaderSize:]),
		int(binary.NativeEndian.Uint16(b[HeaderSize+2:])), int(binary.NativeEndian.Uint16(b[HeaderSize+4:]))
	values := b[truthHeader+4:]
	if binary.NativeEndian.Uint32(b[offParams:]) < truthParams || mismatch != 4 || object+argument > len(values) {
		return t, false
	}
	t.Mismatch = Mismatch(binary.NativeEndian.Uint32(b[truthHeader:]))
	t.Object, t.Argument = values[:object:object], values[object:object+argument:object+argument]
	return t, true
}

// Adopt gives v the truth of another event, of which v was made.
func (v *View) Adopt(of *View) { v.behind = of.behind }

// Whole returns the record with that of the truth behind it, as it was parsed,
// borrowed.
func (v *View) Whole() []byte { return v.rec[: len(v.rec)+len(v.behind) : len(v.rec)+len(v.behind)] }
