package filter

import (
	"math"
	"net/netip"
)

// Type is what a field's values are.
type Type uint8

// Types of fields.
const (
	Int    Type = iota // signed
	Uint               // also times, in nanoseconds
	Bool               // 0 or 1
	Float              // bits of an IEEE 754 double
	Port               // of TCP and UDP
	String             // any bytes, as a rule without a NUL
	Bytes              // raw data
	Addr               // address of IPv4 or IPv6
	Net                // the same, compared with networks
)

var typeNames = [...]string{"int", "uint", "bool", "float", "port", "string", "bytes", "address", "network"}

// String returns the type's name in lists of fields and in errors.
func (t Type) String() string { return typeNames[t] }

func (t Type) numeric() bool { return t <= Port }

// Value is one value of a field.
type Value struct {
	Num  uint64     // of a number; as two's complement if it is signed
	Text []byte     // of a string or bytes
	Addr netip.Addr // of an address or network
}

// Values are what a field is on an event: one value, or several of a list.
// Texts are valid until the next Reset.
type Values struct {
	list []Value
	text []byte
}

// Reset removes all values.
func (v *Values) Reset() { v.list, v.text = v.list[:0], v.text[:0] }

// All returns the values, borrowed.
func (v *Values) All() []Value { return v.list }

// Int adds a signed number.
func (v *Values) Int(n int64) { v.Uint(uint64(n)) }

// Uint adds an unsigned number.
func (v *Values) Uint(n uint64) { v.list = append(v.list, Value{Num: n}) }

// Float adds a floating-point number.
func (v *Values) Float(f float64) { v.Uint(math.Float64bits(f)) }

// Bool adds a truth value.
func (v *Values) Bool(b bool) {
	var n uint64
	if b {
		n = 1
	}
	v.Uint(n)
}

// Str adds a copy of a string.
func (v *Values) Str(s string) {
	start := len(v.text)
	v.text = append(v.text, s...)
	v.Borrow(v.text[start:len(v.text):len(v.text)])
}

// Copy adds a copy of bytes.
func (v *Values) Copy(b []byte) {
	start := len(v.text)
	v.text = append(v.text, b...)
	v.Borrow(v.text[start:len(v.text):len(v.text)])
}

// Borrow adds bytes that stay as they are until the next Reset.
func (v *Values) Borrow(b []byte) { v.list = append(v.list, Value{Text: b}) }

// Addr adds an address.
func (v *Values) Addr(a netip.Addr) { v.list = append(v.list, Value{Addr: a}) }

// Source tells what fields are on the event at hand.
type Source interface {
	// Value adds the values of a field, by the number that the [Schema] gave
	// it, and reports whether it has any on this event. A list may be empty.
	Value(ref int, v *Values) bool
}
