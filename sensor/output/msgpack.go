package output

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/pdig/pdig/event"
)

// Msgpack is a stream of maps with the keys of [JSON], in the same order.
type Msgpack struct {
	Data event.DataStyle // of raw bytes

	printer event.Printer
	info    []byte
	valid   []byte
}

// Append appends a map.
func (f *Msgpack) Append(dst []byte, e *Event) []byte {
	t, marked := e.mismatch()
	keys := byte(numKeys)
	if marked {
		keys += numMore
	}
	dst = append(dst, 0x80|keys) // fixmap
	dst = packUint(packString(dst, keyCPU), uint64(e.CPU))
	dst = append(packString(dst, keyDir), 0xa1, e.dir())
	f.printer.Data, f.printer.Long, f.printer.Verbatim = f.Data, true, true
	f.info = e.appendInfo(f.info[:0], &f.printer)
	dst = packText(f, packString(dst, keyInfo), f.info)
	dst = packUint(packString(dst, keyNum), e.Num)
	dst = packUint(packString(dst, keyTime), e.View.Time())
	dst = packText(f, packString(dst, keyType), e.View.Name())
	dst = packText(f, packString(dst, keyName), e.Comm)
	dst = packInt(packString(dst, keyTID), e.View.TID())
	if marked {
		dst = packString(packString(dst, keyMismatch), t.Mismatch.String())
		dst = packText(f, packString(dst, keyObject), t.Object)
	}
	return dst
}

// packText appends what need not be UTF-8; bytes that are not are replaced by
// U+FFFD.
func packText[T string | []byte](f *Msgpack, dst []byte, s T) []byte {
	f.valid = f.valid[:0]
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = decodeRune(s[i:])
		}
		f.valid = utf8.AppendRune(f.valid, r)
		i += size
	}
	return packString(dst, f.valid)
}

func packString[T string | []byte](dst []byte, s T) []byte {
	switch n := len(s); {
	case n < 1<<5:
		dst = append(dst, 0xa0|byte(n)) // fixstr
	case n < 1<<8:
		dst = append(dst, 0xd9, byte(n)) // str 8
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n)) // str 16
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n)) // str 32
	}
	return append(dst, s...)
}

func packUint(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(dst, byte(n)) // positive fixint
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n)) // uint 32
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n) // uint 64
}

func packInt(dst []byte, n int64) []byte {
	if n >= 0 {
		return packUint(dst, uint64(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n)) // int 64
}
