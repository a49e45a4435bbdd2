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
	Received []byte // descriptors that came from another process, see [NextReceived]
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
	// ArgumentHidden: the kernel has read the argument from memory that nobody else
	// can read, so the event lacks it.
	ArgumentHidden
)

// String is "argument", "object", "memory", those that apply joined by commas, or "".
func (m Mismatch) String() string { return mismatches[m&(ArgumentChanged|OtherObject|ArgumentHidden)] }

var mismatches = [...]string{
	"", "argument", "object", "argument,object",
	"memory", "argument,memory", "object,memory", "argument,object,memory",
}

// typeTruth is the type of such a record. No table of events goes as far.
const typeTruth = 0xf001

// A record of the truth has parameters whose lengths are u16 as in others: the
// mismatch, the object, the argument, and where there are any the received
// descriptors.
const (
	truthParams  = 3
	truthMost    = truthParams + 1
	truthHeader  = HeaderSize + 2*truthParams
	mismatchSize = 4
)

// EndWith is End for an event with a truth: the record of the event and, right
// behind it, its own. A truth for which there is no room is left out.
func (e *Encoder) EndWith(t *Truth) ([]byte, error) {
	rec, err := e.End()
	if err != nil {
		return nil, err
	}
	params := truthParams
	if len(t.Received) > 0 {
		params = truthMost
	}
	header := HeaderSize + 2*params
	size := header + mismatchSize + len(t.Object) + len(t.Argument) + len(t.Received)
	if max(len(t.Object), len(t.Argument), len(t.Received)) > MaxParam || size > cap(e.buf)-len(e.buf) {
		return rec, nil
	}
	b := e.buf[len(e.buf) : len(e.buf)+size]
	copy(b, rec[:offLen]) // time and thread are those of the event
	binary.NativeEndian.PutUint32(b[offLen:], uint32(size))
	binary.NativeEndian.PutUint16(b[offType:], typeTruth)
	binary.NativeEndian.PutUint32(b[offParams:], uint32(params))
	lengths := [truthMost]int{mismatchSize, len(t.Object), len(t.Argument), len(t.Received)}
	for i, n := range lengths[:params] {
		binary.NativeEndian.PutUint16(b[HeaderSize+2*i:], uint16(n))
	}
	binary.NativeEndian.PutUint32(b[header:], uint32(t.Mismatch))
	n := header + mismatchSize
	n += copy(b[n:], t.Object)
	n += copy(b[n:], t.Argument)
	copy(b[n:], t.Received)
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

// HasTruth reports whether something stands behind the event that may be its truth, which
// is true of few.
func (v *View) HasTruth() bool { return len(v.behind) > 0 }

// Truth returns the truth that stands behind the event, borrowed, and whether
// there is one.
func (v *View) Truth() (t Truth, ok bool) {
	b := v.behind
	if len(b) < truthHeader+mismatchSize {
		return t, false
	}
	params := binary.NativeEndian.Uint32(b[offParams:])
	if params < truthParams || params > MaxParams || uint64(len(b)) < HeaderSize+2*uint64(params) {
		return t, false
	}
	values, parts := b[HeaderSize+2*params:], [truthMost][]byte{}
	for i := range min(params, truthMost) {
		n := int(binary.NativeEndian.Uint16(b[HeaderSize+2*i:]))
		if n > len(values) {
			return t, false
		}
		parts[i], values = values[:n:n], values[n:]
	}
	if len(parts[0]) != mismatchSize {
		return t, false
	}
	t.Mismatch = Mismatch(binary.NativeEndian.Uint32(parts[0]))
	t.Object, t.Argument, t.Received = parts[1], parts[2], parts[3]
	return t, true
}

// Adopt gives v the truth of another event, of which v was made.
func (v *View) Adopt(of *View) { v.behind = of.behind }

// Whole returns the record with that of the truth behind it, as it was parsed,
// borrowed.
func (v *View) Whole() []byte { return v.rec[: len(v.rec)+len(v.behind) : len(v.rec)+len(v.behind)] }
