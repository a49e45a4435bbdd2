// Package event defines the record that every source produces and the sensor
// reads: a bounds-checked view, an encoder, and the text of its parameters.
//
// A record is a packed header (time u64, thread s64, length u32, type u16,
// number of parameters u32), an array with the length of every parameter (u16;
// u32 for the types with [syscalls.LargePayload]) and the values, back to back
// and not aligned. Integers are in host byte order, times are nanoseconds since
// the Unix epoch, addresses are in network byte order and ports in host order.
//
// Records are untrusted input, and the peer of a shared ring may rewrite one
// while it is read: [View.Parse] reads every length once, checks it and keeps
// its own copy; what the values say is checked where it is used. Nothing here
// allocates per record. Views, encoders and printers belong to one goroutine
// at a time; all else may be used from any.
package event

import "errors"

// Sizes of records, in bytes.
const (
	HeaderSize = 26    // what a record begins with
	MaxSize    = 65536 // a whole record
	MaxParam   = 65000 // one parameter that an [Encoder] writes
)

// MaxParams is how many parameters a record may have; the widest event of the
// table has 31.
const MaxParams = 64

// Places of the header's fields.
const (
	offTime   = 0
	offTID    = 8
	offLen    = 16
	offType   = 20
	offParams = 22
)

// Why a record cannot be read or written.
var (
	ErrTruncated   = errors.New("event: record is shorter than its length says")
	ErrLength      = errors.New("event: lengths in record do not add up")
	ErrUnknownType = errors.New("event: unknown event type")
	ErrArity       = errors.New("event: wrong number of parameters")
	ErrTooLong     = errors.New("event: record or parameter too long")
)
