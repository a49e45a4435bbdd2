package event

// AppendLine appends a string whose bytes may be any, such that it stays on its line
// and in its column and does nothing to a terminal: control characters, and the two
// that Unicode has for ends of lines and paragraphs, are escaped as in Go, \n, \x1b,
// \u009b. All else stays, backslashes and bytes that are no UTF-8 too.
func AppendLine[T string | []byte](dst []byte, s T) []byte {
	kept := 0
	for i := 0; i < len(s); {
		n := controlSize(s[i:])
		if n == 0 {
			i++
			continue
		}
		dst = append(dst, s[kept:i]...)
		dst = appendEscape(dst, s[i:i+n])
		i += n
		kept = i
	}
	return append(dst, s[kept:]...)
}

// controlSize is how many bytes the control character has that s begins with, 0 if it
// begins with another one.
func controlSize[T string | []byte](s T) int {
	switch c := s[0]; {
	case c >= ' ' && c < 0x7f:
		return 0
	case c < ' ', c == 0x7f:
		return 1
	case c == 0xc2 && len(s) > 1 && s[1] >= 0x80 && s[1] < 0xa0: // U+0080 to U+009F
		return 2
	case c == 0xe2 && len(s) > 2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9): // U+2028, U+2029
		return 3
	}
	return 0
}

// appendEscape appends a control character escaped.
func appendEscape[T string | []byte](dst []byte, c T) []byte {
	const digits, letters = "0123456789abcdef", "abtnvfr" // from \a on, which is 7
	switch {
	case len(c) == 3:
		return append(dst, '\\', 'u', '2', '0', '2', digits[c[2]&15])
	case len(c) == 2:
		return append(dst, '\\', 'u', '0', '0', digits[c[1]>>4], digits[c[1]&15])
	case c[0] >= '\a' && c[0] <= '\r':
		return append(dst, '\\', letters[c[0]-'\a'])
	}
	return append(dst, '\\', 'x', digits[c[0]>>4], digits[c[0]&15])
}

// line escapes the control characters that stand in dst from an offset on, unless the
// printer shows strings as they are.
func (p *Printer) line(dst []byte, from int) []byte {
	if p.Verbatim {
		return dst
	}
	for i := range dst[from:] {
		if controlSize(dst[from+i:]) > 0 {
			p.text = append(p.text[:0], dst[from:]...)
			return AppendLine(dst[:from], p.text)
		}
	}
	return dst
}
