package fields

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
)

// Format is a compiled format: text with fields in it, as sysdig -p has it.
//
//	%proc.name %12fd.name %evt.arg.flags %proc.aname[1] %toupper(proc.name)
//
// A number before a field is a width that its text is filled up or cut to. \n
// and \t are a newline and a tab. A format that begins with a * shows missing
// fields as <NA>; without it an event that lacks a field is not shown.
type Format struct {
	set    *Set
	parts  []piece
	lax    bool
	values filter.Values
	text   []byte
}

// piece is a text and the field behind it.
type piece struct {
	text  string
	ref   int // -1: no field
	key   string
	width int
	call  *filter.Call // a transformer in the place of the field
	plain []plain      // the fields that it looks at
}

// plain is a field that a transformer looks at: the key of an object.
type plain struct {
	ref int
	key string
}

// Bounds of a format.
const (
	maxFormat = 1 << 16
	maxWidth  = 1 << 12
)

// NewFormat compiles a format over the fields of set. Errors are of type
// [*filter.Error].
func NewFormat(text string, set *Set) (*Format, error) {
	f := &Format{set: set}
	if len(text) > maxFormat {
		return nil, formatError(text, 0, fmt.Errorf("longer than %d bytes", maxFormat))
	}
	at := 0
	if strings.HasPrefix(text, "*") {
		f.lax, at = true, 1
	}
	for at < len(text) {
		percent := strings.IndexByte(text[at:], '%')
		if percent < 0 {
			f.parts = append(f.parts, piece{text: escapes.Replace(text[at:]), ref: -1})
			break
		}
		p := piece{text: escapes.Replace(text[at : at+percent])}
		at += percent + 1
		used, err := f.field(text[at:], &p)
		var within *filter.Error
		if errors.As(err, &within) {
			return nil, formatError(text, at+within.Pos.Offset, within)
		}
		if err != nil {
			return nil, formatError(text, at-1, err)
		}
		at += used
		f.parts = append(f.parts, p)
	}
	return f, nil
}

func formatError(text string, at int, err error) error {
	e := &filter.Error{Pos: filter.Place(text, at), Msg: err.Error(), Text: text, Err: err}
	var within *filter.Error // of a transformer
	if errors.As(err, &within) {
		e.Msg, e.Err = within.Msg, within.Err
	}
	return e
}

var escapes = strings.NewReplacer(`\n`, "\n", `\t`, "\t")

// field reads a width and a field, and returns how much of s they are.
func (f *Format) field(s string, p *piece) (int, error) {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits > 0 {
		n, err := strconv.Atoi(s[:digits])
		if err != nil || n > maxWidth {
			return 0, fmt.Errorf("the width %s is more than %d", s[:digits], maxWidth)
		}
		p.width = n
	}
	if used, err := f.transformer(s, digits, p); used > 0 || err != nil {
		return used, err
	}
	end := digits
	for end < len(s) && nameByte(s[end]) {
		end++
	}
	name := s[digits:end]
	if name == "" {
		return 0, fmt.Errorf("no field behind the %%")
	}
	var arg *string
	if end < len(s) && s[end] == '[' {
		close := strings.IndexByte(s[end:], ']')
		if close < 0 {
			return 0, fmt.Errorf("%s[ has no ]", name)
		}
		text := s[end+1 : end+close]
		arg, end = &text, end+close+1
	} else if short := longest(name); short != "" {
		end = digits + len(short)
		name = short
	}
	ref, err := f.set.bind(name, arg)
	if err != nil {
		return 0, err
	}
	if f.set.bound[ref].field.bounds&filterOnly != 0 {
		return 0, fmt.Errorf("%s can stand in a condition only", name)
	}
	p.ref, p.key = ref, s[digits:end]
	return end, nil
}

// transformer reads a transformer with what it is applied to, and returns where it ends; 0
// if there is none.
func (f *Format) transformer(s string, start int, p *piece) (int, error) {
	call, used, err := filter.CompileCall(s[start:], f.set)
	if call == nil || err != nil {
		var within *filter.Error
		if errors.As(err, &within) {
			within.Pos.Offset += start
		}
		return 0, err
	}
	p.ref, p.call = -1, call
	for _, field := range call.Fields {
		ref, err := f.set.bind(field.Name, field.Arg)
		if err != nil {
			return 0, err
		}
		key := field.Name
		if field.Arg != nil {
			key += "[" + *field.Arg + "]"
		}
		p.plain = append(p.plain, plain{ref, key})
	}
	return start + used, nil
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

// longest is the longest beginning of name that is a field: what stands behind
// is text. Names that begin with that of a field which takes any name behind a
// dot are whole, without a dot at the end.
func longest(name string) string {
	name = strings.TrimRight(name, ".")
	for end := len(name); end > 0; end-- {
		if _, _, ok := lookup(name[:end]); ok {
			return name[:end]
		}
	}
	return ""
}

// Append appends the line of the event and reports whether it has one. The line
// has no newline at its end, and no other control character than those that
// stand in the format.
func (f *Format) Append(dst []byte) ([]byte, bool) {
	start := len(dst)
	f.set.line = true
	for i := range f.parts {
		p := &f.parts[i]
		dst = append(dst, p.text...)
		if p.ref < 0 && p.call == nil {
			continue
		}
		from := len(dst)
		var ok bool
		if dst, ok = f.appendPiece(dst, p); !ok && !f.lax {
			return dst[:start], false
		}
		if !ok {
			dst = append(dst, unknown...)
		}
		if p.width > 0 {
			dst = fit(dst, from, p.width)
		}
	}
	return dst, true
}

// appendPiece appends the text of a field or transformer, if the event has any.
func (f *Format) appendPiece(dst []byte, p *piece) ([]byte, bool) {
	if p.call != nil {
		return f.appendCall(dst, p.call)
	}
	f.values.Reset()
	if !f.set.Value(p.ref, &f.values) {
		return dst, false
	}
	return f.set.bound[p.ref].appendText(dst, &f.values, f.set.event), true
}

// appendCall appends what a transformer makes of strings as they are: what it makes is
// escaped.
func (f *Format) appendCall(dst []byte, c *filter.Call) ([]byte, bool) {
	f.set.line = false
	v, ok := c.Values(f.set)
	f.set.line = true
	if !ok {
		return dst, false
	}
	b := bound{field: &transformed, typ: c.Type()}
	if c.IsList() {
		b.field = &transformedList
	}
	return b.appendText(dst, v, f.set.event), true
}

// What transformers make, as if it were fields.
var (
	transformed     Field
	transformedList = Field{several: filter.List}
)

// fit makes dst[from:] as long as width.
func fit(dst []byte, from, width int) []byte {
	for len(dst) < from+width {
		dst = append(dst, ' ')
	}
	return dst[:from+width]
}

// appendText appends the values of a field: those of a list in parentheses, of
// other fields with several joined by blanks.
func (b *bound) appendText(dst []byte, v *filter.Values, e *Event) []byte {
	list := b.field.several == filter.List
	separator := byte(' ')
	if list {
		dst, separator = append(dst, '('), ','
	}
	for i, value := range v.All() {
		if i > 0 {
			dst = append(dst, separator)
		}
		dst = b.appendValue(dst, &value, e)
	}
	if list {
		dst = append(dst, ')')
	}
	return dst
}

func (b *bound) appendValue(dst []byte, v *filter.Value, e *Event) []byte {
	switch b.typ {
	case filter.Bool:
		return strconv.AppendBool(dst, v.Num != 0)
	case filter.Bytes:
		return e.appendBuffer(dst, v.Text)
	case filter.String:
		if b.field.printed {
			return append(dst, v.Text...)
		}
		return event.AppendLine(dst, v.Text)
	case filter.Addr, filter.Net:
		return v.Addr.AppendTo(dst)
	case filter.Float:
		return strconv.AppendFloat(dst, math.Float64frombits(v.Num), 'f', 1, 64)
	case filter.Int:
		if b.show == hexadecimal {
			return event.AppendHex(dst, uint64(uint32(v.Num)))
		}
		return strconv.AppendInt(dst, int64(v.Num), 10)
	}
	switch b.show {
	case hexadecimal:
		return event.AppendHex(dst, v.Num)
	case octal:
		return event.AppendOctal(dst, v.Num)
	case padded:
		return appendPadded(dst, v.Num)
	}
	return strconv.AppendUint(dst, v.Num, 10)
}

// appendBuffer appends raw bytes in the style that is asked for, by default all of
// them with dots for what is not printable.
func (e *Event) appendBuffer(dst, raw []byte) []byte {
	if e.printer.Data == event.DataDots {
		return appendDots(dst, raw)
	}
	return e.printer.AppendData(dst, raw)
}

// appendDots replaces what is not printable ASCII by dots.
func appendDots(dst, s []byte) []byte {
	for _, c := range s {
		if c < ' ' || c > '~' {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}
