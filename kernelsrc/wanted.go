package kernelsrc

import "github.com/pdig/pdig/syscalls"

// Wanted selects system calls. nil: all.
type Wanted func(*syscalls.Call) bool

// Call reports whether a call is wanted.
func (w Wanted) Call(c *syscalls.Call) bool { return w == nil || w(c) }

// Number reports whether a native number is wanted. One that the table does not
// know is, with all.
func (w Wanted) Number(nr int) bool {
	if w == nil {
		return true
	}
	c := syscalls.Lookup(syscalls.Native, nr)
	return c != nil && w(c)
}

// Name reports whether one of these calls is wanted.
func (w Wanted) Name(names ...string) bool {
	for _, n := range names {
		if c := syscalls.LookupName(n); c != nil && w.Call(c) {
			return true
		}
	}
	return false
}
