package fields

import (
	"slices"
	"strings"

	"github.com/pdig/pdig/sensor/filter"
)

// Column is a field of a format as a key of an object.
type Column struct {
	Key  string // proc.aname[2]
	Kind Kind
	ref  int
}

// Kind is what a value is in an object.
type Kind uint8

// Kinds of values.
const (
	Text Kind = iota
	Signed
	Unsigned
	Truth
	Real
	Texts // a list
)

// Columns are the fields of the format, sorted, each once.
func (f *Format) Columns() []Column {
	var columns []Column
	for i := range f.parts {
		p := &f.parts[i]
		if p.ref >= 0 {
			columns = append(columns, Column{Key: p.key, Kind: f.set.bound[p.ref].kind(), ref: p.ref})
		}
		for _, of := range p.plain {
			columns = append(columns, Column{Key: of.key, Kind: f.set.bound[of.ref].kind(), ref: of.ref})
		}
	}
	slices.SortStableFunc(columns, func(a, b Column) int { return strings.Compare(a.Key, b.Key) })
	return slices.CompactFunc(columns, func(a, b Column) bool { return a.Key == b.Key })
}

// kind is what the values of a field are in an object: numbers that are shown in
// another base than ten are text, times nanoseconds.
func (b *bound) kind() Kind {
	switch {
	case b.field.several == filter.List:
		return Texts
	case b.field.moment:
		return Unsigned
	case b.field.several == filter.Any && !b.arg.given, b.show == hexadecimal, b.show == octal:
		return Text
	}
	switch b.typ {
	case filter.Int:
		return Signed
	case filter.Uint, filter.Port:
		return Unsigned
	case filter.Bool:
		return Truth
	case filter.Float:
		return Real
	}
	return Text
}

// Value is the value of a column on the event: Num of numbers as [filter.Value]
// has it, Text of text. It is valid until the next call.
func (f *Format) Value(c *Column) (filter.Value, bool) {
	b := &f.set.bound[c.ref]
	f.set.line = false
	f.values.Reset()
	if b.field.moment {
		return filter.Value{Num: f.set.event.View.Time()}, true
	}
	if !f.set.Value(c.ref, &f.values) {
		return filter.Value{}, false
	}
	if c.Kind == Text {
		f.text = b.appendRaw(f.text[:0], &f.values, f.set.event)
		return filter.Value{Text: f.text}, true
	}
	if all := f.values.All(); len(all) > 0 {
		return all[0], true
	}
	return filter.Value{}, true
}

// List is what the column has that Value was asked for last, of a list.
func (f *Format) List() []filter.Value { return f.values.All() }

// Lax reports whether an event is shown that lacks a field.
func (f *Format) Lax() bool { return f.lax }

// appendRaw is appendText for an object, which may have control characters.
func (b *bound) appendRaw(dst []byte, v *filter.Values, e *Event) []byte {
	if b.typ != filter.String {
		return b.appendText(dst, v, e)
	}
	for i, value := range v.All() {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, value.Text...)
	}
	return dst
}
