package filter

import "strings"

// lexer reads the parts of a condition from left to right. Its methods take
// nothing when what they look for is not next.
type lexer struct {
	text string
	at   int
}

func blank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\b'
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func word(c byte) bool   { return letter(c) || digit(c) || c == '_' }

func hexDigit(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// peek is the byte i places on, 0 behind the end.
func (l *lexer) peek(i int) byte {
	if l.at+i < len(l.text) {
		return l.text[l.at+i]
	}
	return 0
}

// blanks takes blanks and reports whether there were any.
func (l *lexer) blanks() bool {
	start := l.at
	for l.at < len(l.text) && blank(l.text[l.at]) {
		l.at++
	}
	return l.at > start
}

// literal takes s.
func (l *lexer) literal(s string) bool {
	if !strings.HasPrefix(l.text[l.at:], s) {
		return false
	}
	l.at += len(s)
	return true
}

// spaced takes s if a blank comes behind it.
func (l *lexer) spaced(s string) bool {
	if !strings.HasPrefix(l.text[l.at:], s) || !blank(l.peek(len(s))) {
		return false
	}
	l.at += len(s)
	return true
}

// run takes all bytes that ok holds for.
func (l *lexer) run(ok func(byte) bool) string {
	start := l.at
	for l.at < len(l.text) && ok(l.text[l.at]) {
		l.at++
	}
	return l.text[start:l.at]
}

// identifier takes a letter and what follows of letters, digits and
// underscores.
func (l *lexer) identifier() (string, bool) {
	if !letter(l.peek(0)) {
		return "", false
	}
	return l.run(word), true
}

// field takes identifiers that are joined by dots, two at least.
func (l *lexer) field() (string, bool) {
	start := l.at
	parts := 0
	for {
		if _, ok := l.identifier(); !ok {
			l.at-- // the dot is not part of the name
			break
		}
		parts++
		if !l.literal(".") {
			break
		}
	}
	if parts < 2 {
		l.at = start
		return "", false
	}
	return l.text[start:l.at], true
}

// bare takes a constant without quotes.
func (l *lexer) bare() (string, bool) {
	s := l.run(func(c byte) bool { return !blank(c) && !strings.ContainsRune("()\"'=,", rune(c)) })
	return s, s != ""
}

// argument takes what stands in brackets without quotes.
func (l *lexer) argument() (string, bool) {
	s := l.run(func(c byte) bool { return !blank(c) && !strings.ContainsRune("[]\"'", rune(c)) })
	return s, s != ""
}

// quoted takes a constant in quotes, without them. Nothing is taken if there is
// no end. What is wrong with it is returned.
func (l *lexer) quoted() (s string, ok bool, wrong string) {
	quote := l.peek(0)
	if quote != '"' && quote != '\'' {
		return "", false, ""
	}
	var b strings.Builder
	for i := l.at + 1; i < len(l.text); i++ {
		c := l.text[i]
		switch {
		case c == quote:
			l.at = i + 1
			return b.String(), true, wrong
		case c == '\\' && i+1 < len(l.text):
			i++
			if c, ok = unescape(l.text[i], quote); !ok && wrong == "" {
				wrong = "unknown escape \\" + string(rune(l.text[i])) + " in a string"
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return "", false, ""
}

// unescape is what a backslash and c stand for.
func unescape(c, quote byte) (byte, bool) {
	switch c {
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case '\\', '/', quote:
		return c, true
	case ' ':
		return '\\', true // without the blank: an old rule has it
	}
	return c, false
}

// number takes a number: decimal, with a point and an exponent, or hexadecimal.
func (l *lexer) number() (string, bool) {
	start := l.at
	if l.peek(0) == '0' && l.peek(1)|0x20 == 'x' && hexDigit(l.peek(2)) {
		l.at += 2
		l.run(hexDigit)
		return l.text[start:l.at], true
	}
	if c := l.peek(0); c == '+' || c == '-' {
		l.at++
	}
	if l.run(digit) == "" {
		l.at = start
		return "", false
	}
	if l.literal(".") {
		l.run(digit)
	}
	if l.peek(0)|0x20 == 'e' {
		i := 1
		if c := l.peek(1); c == '+' || c == '-' {
			i = 2
		}
		if digit(l.peek(i)) {
			l.at += i
			l.run(digit)
		}
	}
	return l.text[start:l.at], true
}
