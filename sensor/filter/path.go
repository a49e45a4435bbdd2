package filter

import "bytes"

// path is a path by its components, each of which may be a glob.
type path []component

type component struct {
	text []byte
	glob bool
}

// makePath takes a path apart. Slashes at its ends, and doubled ones, mean
// nothing.
func makePath(s string) path {
	var p path
	for part := range bytes.SplitSeq([]byte(s), []byte("/")) {
		if len(part) > 0 {
			p = append(p, component{part, bytes.ContainsAny(part, `*?[\`)})
		}
	}
	return p
}

// prefixOf reports whether s is the path or lies below it.
func (p path) prefixOf(s []byte) bool {
	for _, c := range p {
		s = bytes.TrimLeft(s, "/")
		part := s
		if i := bytes.IndexByte(s, '/'); i >= 0 {
			part = s[:i]
		}
		if len(part) == 0 {
			return false
		}
		if c.glob && !glob(c.text, part, false) || !c.glob && !bytes.Equal(c.text, part) {
			return false
		}
		s = s[len(part):]
	}
	return true
}
