package event

// JoinPath appends path to the directory dst[start:], which ends with a slash
// or is empty when it is not known, and returns dst with the path that this
// names, in the text that sysdig 0.29.3 gives it. State that names descriptors
// has to use it, or its names would differ from those that are printed.
//
// It reads path once from left to right, never follows a link and leaves the
// directory as it is: "./" and a final "." vanish, "../" and a final ".." go up
// one but not above the root, repeated slashes become one, a final slash is
// dropped unless it is the root, and bytes that are not printable ASCII become
// dots. The scan does not go by component: "a./b" is "ab", "..." is "..". In the
// newest style it does.
func JoinPath(dst []byte, start int, path []byte, style Style) []byte {
	if style == Newest {
		return joinWhole(dst, start, path)
	}
	for i := 0; i < len(path); {
		c := path[i]
		switch {
		case c == '.' && at(path, i+1) == '.' && ends(path, i+2):
			dst = up(dst, start)
			i += 3
		case c == '.' && at(path, i+1) == '.':
			dst = append(dst, '.', '.')
			i += 2
		case c == '.' && ends(path, i+1):
			i += 2
		case c == '/' && len(dst) > start && dst[len(dst)-1] == '/':
			i++
		case printable(c):
			dst = append(dst, c)
			i++
		default:
			dst = append(dst, '.')
			i++
		}
	}
	if n := len(dst); n > start+1 && dst[n-1] == '/' {
		dst = dst[:n-1]
	}
	return dst
}

// at is b[i], or 0 behind its end.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// ends tells whether a component of path ends before i.
func ends(path []byte, i int) bool { return i >= len(path) || path[i] == '/' }

// up takes the last component from the path that begins at start; a single
// byte stays, for it is the root.
func up(dst []byte, start int) []byte {
	end := len(dst)
	if end <= start+1 {
		return dst
	}
	for end--; end > start && dst[end-1] != '/'; end-- {
	}
	return dst[:end]
}

// maxText is where sysdig's buffer cuts the texts of paths and of lists. That
// its buffer grows by and by, with longer strings of other types, is not
// imitated.
const maxText = 1023

// appendPathText is a path parameter as it was given, <NA> if there is none: an
// empty path has a NUL.
func appendPathText(dst, raw []byte) []byte {
	if len(raw) == 0 {
		return append(dst, missing...)
	}
	start := len(dst)
	dst = AppendPrintable(dst, cstring(raw))
	return dst[:min(len(dst), start+maxText)]
}
