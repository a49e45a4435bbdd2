package convert

import (
	"strconv"

	"github.com/pdig/pdig/event"
)

// containerJSON is the event about a container that has a text.
const containerJSON = 272

// container makes of an event with the parts of what is known of a container
// (id, type, name, image) one with their text.
func (c *Converter) container() {
	p := &c.params
	b := append(c.json[:0], `{"id":`...)
	b = appendString(b, p[0])
	b = append(b, `,"type":`...)
	n := uint64(0)
	for i := min(len(p[1]), 4) - 1; i >= 0; i-- {
		n = n<<8 | uint64(p[1][i])
	}
	b = strconv.AppendUint(b, n, 10)
	b = appendString(append(b, `,"name":`...), p[2])
	b = appendString(append(b, `,"image":`...), p[3])
	c.json = append(b, '}', 0)
	c.typ, c.n = containerJSON, 1
	p[0] = c.json[:min(len(c.json), event.MaxParam)]
}

// appendString appends a text up to its NUL as a JSON string.
func appendString(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, b := range s {
		switch {
		case b == 0:
			return append(dst, '"')
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
