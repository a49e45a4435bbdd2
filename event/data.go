package event

import "encoding/base64"

// DataStyle is how a parameter of raw bytes is shown.
type DataStyle uint8

// Styles of raw bytes. All but DataDots show all bytes, and DataText, DataHex
// and DataHexText on several lines.
const (
	DataDots    DataStyle = iota // printable ASCII, dots for all else
	DataText                     // printable ASCII and line ends only
	DataHex                      // rows of 16 bytes with their offset
	DataHexText                  // the same with the characters beside them
	DataBase64
)

// maxData is how many characters of dotted data are shown.
const maxData = 80

func (p *Printer) appendData(dst, raw []byte) []byte {
	switch p.Data {
	case DataText:
		return appendLines(dst, raw)
	case DataHex, DataHexText:
		return appendRows(dst, raw, p.Data == DataHexText)
	case DataBase64:
		return base64.StdEncoding.AppendEncode(dst, raw)
	}
	if p.Long || len(raw) <= maxData {
		return appendDots(dst, raw)
	}
	return append(appendDots(dst, raw[:maxData-3]), "..."...)
}

// appendDots replaces what is not printable ASCII by dots.
func appendDots(dst, raw []byte) []byte {
	for _, c := range raw {
		if !printable(c) {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendLines appends nothing for no bytes. It keeps what is printable; a
// carriage return ends a line, and so does a newline that does not follow one
// and is not the first byte.
func appendLines(dst, raw []byte) []byte {
	if len(raw) == 0 {
		return dst
	}
	dst = append(dst, '\n')
	for i, c := range raw {
		switch {
		case printable(c):
			dst = append(dst, c)
		case c == '\r', c == '\n' && i > 0 && raw[i-1] != '\r':
			dst = append(dst, '\n')
		}
	}
	return dst
}

// appendRows appends nothing for no bytes.
func appendRows(dst, raw []byte, text bool) []byte {
	for start := 0; start < len(raw); start += 16 {
		dst = appendRow(append(dst, '\n'), start, raw[start:min(start+16, len(raw))], text)
	}
	if len(raw) > 0 {
		dst = append(dst, '\n')
	}
	return dst
}

func appendRow(dst []byte, offset int, row []byte, text bool) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, "\t0x"...)
	shift := 12
	for offset>>shift > 15 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[offset>>shift&15])
	}
	dst = append(dst, ':')
	for i, c := range row {
		if i%2 == 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	if text {
		// An odd last byte counts as a whole group: its characters stand two
		// columns to the left of the others'.
		for range 8 - (len(row)+1)/2 {
			dst = append(dst, "     "...)
		}
		dst = appendDots(append(dst, "  "...), row)
	}
	return dst
}
