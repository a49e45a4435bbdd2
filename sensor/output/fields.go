package output

import "github.com/pdig/pdig/sensor/fields"

// Fields is a line in a format of the user's. The format looks at an event of its
// own, which is the one that is written.
type Fields struct {
	Format *fields.Format
}

// Append appends a line; nothing if the event lacks a field that has to be
// there.
func (f *Fields) Append(dst []byte, _ *Event) []byte {
	dst, ok := f.Format.Append(dst)
	if !ok {
		return dst
	}
	return append(dst, '\n')
}
