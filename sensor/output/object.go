package output

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/pdig/pdig/sensor/fields"
	"github.com/pdig/pdig/sensor/filter"
)

// Object is an object with the fields of a format of the user's as its keys,
// sorted. Like a line it is written of events only that have all of them, unless
// the format says otherwise: then what is missing is null.
type Object struct {
	format  *fields.Format
	columns []fields.Column
	msgpack bool
	packer  Msgpack
}

// NewObject makes objects of a format, in JSON or else msgpack.
func NewObject(f *fields.Format, msgpack bool) *Object {
	return &Object{format: f, columns: f.Columns(), msgpack: msgpack}
}

// Append appends an object; nothing if the event lacks a field that has to be
// there.
func (o *Object) Append(dst []byte, _ *Event) []byte {
	start := len(dst)
	dst = o.begin(dst)
	for i := range o.columns {
		c := &o.columns[i]
		v, ok := o.format.Value(c)
		if !ok && !o.format.Lax() {
			return dst[:start]
		}
		if o.msgpack {
			dst = o.pack(packString(dst, c.Key), c, &v, ok)
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = o.json(append(appendJSON(dst, c.Key), ':'), c, &v, ok)
	}
	if !o.msgpack {
		dst = append(dst, '}', '\n')
	}
	return dst
}

func (o *Object) begin(dst []byte) []byte {
	switch n := len(o.columns); {
	case !o.msgpack:
		return append(dst, '{')
	case n < 16:
		return append(dst, 0x80|byte(n)) // fixmap
	default:
		return binary.BigEndian.AppendUint16(append(dst, 0xde), uint16(n)) // map 16
	}
}

func (o *Object) json(dst []byte, c *fields.Column, v *filter.Value, ok bool) []byte {
	switch {
	case !ok:
		return append(dst, "null"...)
	case c.Kind == fields.Signed:
		return strconv.AppendInt(dst, int64(v.Num), 10)
	case c.Kind == fields.Unsigned:
		return strconv.AppendUint(dst, v.Num, 10)
	case c.Kind == fields.Truth:
		return strconv.AppendBool(dst, v.Num != 0)
	case c.Kind == fields.Real:
		return strconv.AppendFloat(dst, math.Float64frombits(v.Num), 'g', -1, 64)
	case c.Kind == fields.Texts:
		dst = append(dst, '[')
		for i, part := range o.format.List() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, part.Text)
		}
		return append(dst, ']')
	}
	return appendJSON(dst, v.Text)
}

func (o *Object) pack(dst []byte, c *fields.Column, v *filter.Value, ok bool) []byte {
	switch {
	case !ok:
		return append(dst, 0xc0) // nil
	case c.Kind == fields.Signed:
		return packInt(dst, int64(v.Num))
	case c.Kind == fields.Unsigned:
		return packUint(dst, v.Num)
	case c.Kind == fields.Truth:
		return append(dst, 0xc2|byte(v.Num&1)) // false, true
	case c.Kind == fields.Real:
		return binary.BigEndian.AppendUint64(append(dst, 0xcb), v.Num) // float 64
	case c.Kind == fields.Texts:
		list := o.format.List()
		dst = binary.BigEndian.AppendUint16(append(dst, 0xdc), uint16(len(list))) // array 16
		for _, part := range list {
			dst = packText(&o.packer, dst, part.Text)
		}
		return dst
	}
	return packText(&o.packer, dst, v.Text)
}
