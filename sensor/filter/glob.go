package filter

// glob is fnmatch(3) without flags: * and ? fit slashes and leading dots too.
// With fold the case of letters of ASCII does not matter.
func glob(pattern, s []byte, fold bool) bool {
	// The last star, and where in s it is tried: a later star makes earlier
	// ones need no other try.
	star, from := -1, 0
	p, i := 0, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, i
			p++
			continue
		}
		if n := globOne(pattern[p:], s[i], fold); n > 0 {
			p, i = p+n, i+1
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star+1, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globOne is how much of the pattern stands for the byte c, 0 if it does not
// begin with it.
func globOne(pattern []byte, c byte, fold bool) int {
	if len(pattern) == 0 {
		return 0
	}
	if fold {
		c = foldLower(c)
	}
	switch pattern[0] {
	case '?':
		return 1
	case '[':
		if n, fits := class(pattern, c, fold); n > 0 {
			if fits {
				return n
			}
			return 0
		}
	case '\\':
		if len(pattern) > 1 && folded(pattern[1], fold) == c {
			return 2
		}
		return 0
	}
	if folded(pattern[0], fold) == c {
		return 1
	}
	return 0
}

func folded(c byte, fold bool) byte {
	if fold {
		return foldLower(c)
	}
	return c
}

// class reads a bracket expression: its length, 0 if it does not end, and
// whether c fits it.
func class(pattern []byte, c byte, fold bool) (n int, fits bool) {
	i := 1
	not := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if not {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, fits != not
		}
		if name, ok := className(pattern[i:]); ok {
			fits = fits || inClass(name, c, fold)
			i += len(name) + len("[::]")
			continue
		}
		low, used := classByte(pattern[i:])
		i += used
		high := low
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			high, used = classByte(pattern[i+1:])
			i += 1 + used
		}
		fits = fits || c >= folded(low, fold) && c <= folded(high, fold)
	}
	return 0, false
}

// classByte is a byte in brackets, perhaps behind a backslash.
func classByte(b []byte) (c byte, used int) {
	if b[0] == '\\' && len(b) > 1 {
		return b[1], 2
	}
	return b[0], 1
}

// className is the name in [:name:].
func className(b []byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != '[' || b[1] != ':' {
		return nil, false
	}
	for end := 2; end+1 < len(b); end++ {
		if b[end] == ':' && b[end+1] == ']' {
			return b[2:end], true
		}
	}
	return nil, false
}

func inClass(name []byte, c byte, fold bool) bool {
	lower, upper := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z' || fold && c >= 'a' && c <= 'z'
	switch string(name) {
	case "alpha":
		return letter(c)
	case "digit":
		return digit(c)
	case "alnum":
		return letter(c) || digit(c)
	case "lower":
		return lower
	case "upper":
		return upper
	case "xdigit":
		return hexDigit(c)
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r'
	case "blank":
		return c == ' ' || c == '\t'
	case "punct":
		return c > ' ' && c < 0x7f && !letter(c) && !digit(c)
	case "print":
		return c >= ' ' && c < 0x7f
	case "graph":
		return c > ' ' && c < 0x7f
	case "cntrl":
		return c < ' ' || c == 0x7f
	}
	return false
}
