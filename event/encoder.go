package event

import (
	"encoding/binary"

	"github.com/pdig/pdig/syscalls"
)

// Encoder builds one record at a time in a buffer that it owns: Begin, every
// parameter in order, End. The zero Encoder is ready for use.
//
// A parameter is written whole (Int, Bytes, String, Empty) or in place, between
// Open and Close. What goes wrong is kept until End reports it; calls in
// between do nothing then.
type Encoder struct {
	buf      []byte
	err      error
	want     int // parameters that Begin announced
	params   int // that are complete
	width    int // of a length
	start    int // of the open parameter
	open     bool
	reserved int // by the last Reserve
}

// Begin starts a record of nparams parameters, at most [MaxParams]; ts is in
// nanoseconds since the Unix epoch, tid -1 stands for no thread. A record that
// was not ended is forgotten.
func (e *Encoder) Begin(ts uint64, tid int64, typ uint16, nparams int) {
	if e.buf == nil {
		e.buf = make([]byte, 0, MaxSize)
	}
	*e = Encoder{buf: e.buf[:HeaderSize], want: nparams}
	switch {
	case int(typ) >= len(syscalls.Events):
		e.err = ErrUnknownType
		return
	case nparams < 0 || nparams > MaxParams:
		e.err = ErrArity
		return
	}
	binary.NativeEndian.PutUint64(e.buf[offTime:], ts)
	binary.NativeEndian.PutUint64(e.buf[offTID:], uint64(tid))
	binary.NativeEndian.PutUint16(e.buf[offType:], typ)
	binary.NativeEndian.PutUint32(e.buf[offParams:], uint32(nparams))
	e.width = lengthWidth(&syscalls.Events[typ])
	e.buf = e.buf[:HeaderSize+nparams*e.width] // Close fills the lengths in
}

// Open begins a parameter that Append, AppendInt, Reserve and Commit fill.
func (e *Encoder) Open() {
	if e.err == nil && (e.open || e.params == e.want) {
		e.err = ErrArity
	}
	e.open, e.start, e.reserved = true, len(e.buf), 0
}

// Close ends the parameter that Open began.
func (e *Encoder) Close() {
	if e.err == nil && !e.open {
		e.err = ErrArity
	}
	e.open, e.reserved = false, 0
	if e.err != nil {
		return
	}
	size, at := len(e.buf)-e.start, HeaderSize+e.params*e.width
	if e.width == 2 {
		binary.NativeEndian.PutUint16(e.buf[at:], uint16(size))
	} else {
		binary.NativeEndian.PutUint32(e.buf[at:], uint32(size))
	}
	e.params++
}

// grow makes the open parameter n bytes longer and returns where they go, or
// nil if they do not fit.
func (e *Encoder) grow(n int) []byte {
	b := e.Reserve(n)
	e.Commit(len(b))
	return b
}

// Reserve returns room for n more bytes of the open parameter, of undefined
// contents. They become part of it by [Encoder.Commit]. It returns nil if the
// record or the parameter would become too long.
func (e *Encoder) Reserve(n int) []byte {
	if e.err == nil && !e.open {
		e.err = ErrArity
	}
	if e.err != nil {
		return nil
	}
	end := len(e.buf)
	if n < 0 || n > MaxParam-(end-e.start) || n > cap(e.buf)-end {
		e.err = ErrTooLong
		return nil
	}
	e.reserved = n
	return e.buf[end : end+n : end+n]
}

// Room returns how many bytes the open parameter can still grow by.
func (e *Encoder) Room() int {
	if e.err != nil || !e.open {
		return 0
	}
	return min(MaxParam-(len(e.buf)-e.start), cap(e.buf)-len(e.buf))
}

// Commit adds the first n bytes of what Reserve returned to the parameter.
func (e *Encoder) Commit(n int) {
	if e.err == nil && uint(n) > uint(e.reserved) {
		e.err = ErrLength
	}
	if e.err != nil {
		return
	}
	e.buf, e.reserved = e.buf[:len(e.buf)+n], 0
}

// Buf returns what the open parameter holds so far, borrowed until the next
// call; it may be changed in place. It is nil when none is open.
func (e *Encoder) Buf() []byte {
	if e.err != nil || !e.open {
		return nil
	}
	return e.buf[e.start:len(e.buf):len(e.buf)]
}

// Append adds b to the open parameter.
func (e *Encoder) Append(b []byte) { copy(e.grow(len(b)), b) }

// AppendInt adds v in size bytes, 1, 2, 4 or 8, to the open parameter.
func (e *Encoder) AppendInt(size int, v uint64) {
	switch size {
	case 1:
		if b := e.grow(1); b != nil {
			b[0] = byte(v)
		}
	case 2:
		if b := e.grow(2); b != nil {
			binary.NativeEndian.PutUint16(b, uint16(v))
		}
	case 4:
		if b := e.grow(4); b != nil {
			binary.NativeEndian.PutUint32(b, uint32(v))
		}
	case 8:
		if b := e.grow(8); b != nil {
			binary.NativeEndian.PutUint64(b, v)
		}
	default:
		if e.err == nil {
			e.err = ErrLength
		}
	}
}

// Int writes a parameter of size bytes, 1, 2, 4 or 8: the low ones of v.
func (e *Encoder) Int(size int, v uint64) {
	e.Open()
	e.AppendInt(size, v)
	e.Close()
}

// Bytes writes the parameter b.
func (e *Encoder) Bytes(b []byte) {
	e.Open()
	e.Append(b)
	e.Close()
}

// String writes the parameter b with a NUL behind it.
func (e *Encoder) String(b []byte) {
	e.Open()
	e.Append(b)
	e.AppendInt(1, 0)
	e.Close()
}

// Empty writes a parameter of no bytes.
func (e *Encoder) Empty() {
	e.Open()
	e.Close()
}

// End returns the record, which is valid until the next Begin. Errors are
// [ErrArity] if there are not as many parameters as Begin was told or Open and
// Close were not paired, [ErrTooLong] beyond [MaxSize] or [MaxParam],
// [ErrUnknownType], and [ErrLength] for an integer of an odd size and a Commit
// of more than was reserved.
func (e *Encoder) End() ([]byte, error) {
	if e.err == nil && (e.open || e.params != e.want || e.buf == nil) {
		e.err = ErrArity
	}
	if e.err != nil {
		return nil, e.err
	}
	binary.NativeEndian.PutUint32(e.buf[offLen:], uint32(len(e.buf)))
	return e.buf[:len(e.buf):len(e.buf)], nil
}

// SockAddr writes a parameter by [AppendSockAddr].
func (e *Encoder) SockAddr(raw []byte) {
	e.Open()
	e.Commit(len(AppendSockAddr(e.Reserve(sizeMaxAddress)[:0], raw)))
	e.Close()
}

// Tuple writes a parameter by [AppendTuple].
func (e *Encoder) Tuple(source, dest []byte) {
	e.Open()
	e.Commit(len(AppendTuple(e.Reserve(sizeMaxAddress)[:0], source, dest)))
	e.Close()
}

// UnixTuple writes a parameter by [AppendUnixTuple].
func (e *Encoder) UnixTuple(source, dest uint64, addr []byte) {
	e.Open()
	e.Commit(len(AppendUnixTuple(e.Reserve(sizeMaxAddress)[:0], source, dest, addr)))
	e.Close()
}
