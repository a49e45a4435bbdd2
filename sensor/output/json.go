package output

import (
	"strconv"
	"unicode/utf8"

	"github.com/pdig/pdig/event"
)

// Keys of JSON and msgpack, in the order in which they are written.
const (
	keyCPU  = "evt.cpu"
	keyDir  = "evt.dir"
	keyInfo = "evt.info"
	keyNum  = "evt.num"
	keyTime = "evt.outputtime" // nanoseconds since the Unix epoch
	keyType = "evt.type"
	keyName = "proc.name"
	keyTID  = "thread.tid"
	numKeys = 8

	// Of events with a mismatch only.
	keyMismatch = "truth.mismatch"
	keyObject   = "truth.object"
	numMore     = 2
)

// JSON is one object a line, its keys sorted, as sysdig -j writes it. Data is not
// cut.
type JSON struct {
	Data event.DataStyle // of raw bytes

	printer event.Printer
	info    []byte
}

// Append appends an object and a newline.
func (f *JSON) Append(dst []byte, e *Event) []byte {
	dst = append(dst, `{"`+keyCPU+`":`...)
	dst = strconv.AppendUint(dst, uint64(e.CPU), 10)
	dst = append(dst, `,"`+keyDir+`":"`...)
	dst = append(dst, e.dir())
	dst = append(dst, `","`+keyInfo+`":`...)
	f.printer.Data, f.printer.Long, f.printer.Verbatim = f.Data, true, true
	f.info = e.appendInfo(f.info[:0], &f.printer)
	dst = appendJSON(dst, f.info)
	dst = append(dst, `,"`+keyNum+`":`...)
	dst = strconv.AppendUint(dst, e.Num, 10)
	dst = append(dst, `,"`+keyTime+`":`...)
	dst = strconv.AppendUint(dst, e.View.Time(), 10)
	dst = append(dst, `,"`+keyType+`":`...)
	dst = appendJSON(dst, e.View.Name())
	dst = append(dst, `,"`+keyName+`":`...)
	dst = appendJSON(dst, e.Comm)
	dst = append(dst, `,"`+keyTID+`":`...)
	dst = strconv.AppendInt(dst, e.View.TID(), 10)
	if t, ok := e.mismatch(); ok {
		dst = append(dst, `,"`+keyMismatch+`":`...)
		dst = appendJSON(dst, t.Mismatch.String())
		dst = append(dst, `,"`+keyObject+`":`...)
		dst = appendJSON(dst, t.Object)
	}
	return append(dst, '}', '\n')
}

// appendJSON appends s as a JSON string. Control characters are escaped, bytes
// that are no UTF-8 are replaced by U+FFFD.
func appendJSON[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := decodeRune(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}

// decodeRune is the first rune of s, U+FFFD if it is not one.
func decodeRune[T string | []byte](s T) (rune, int) {
	var b [utf8.UTFMax]byte
	return utf8.DecodeRune(b[:copy(b[:], s)])
}
