package state

import "golang.org/x/sys/unix"

// Commands and requests that say whether an exec closes a descriptor, those of
// fcntl in Falco's numbering.
const (
	fSetFD  = 3
	fioclex = 0x5451
	fnoclex = 0x5450
)

// oCloexec is O_CLOEXEC in Falco's numbering.
const oCloexec = 1 << 12

// Flags of close_range.
const (
	closeRangeUnshare = 1 << 1
	closeRangeCloexec = 1 << 2
)

// cloexec reports whether an exec closes the descriptor that the call has made.
func (c *call) cloexec() bool {
	flags, _ := c.int(fieldFlags)
	typ, _ := c.int(fieldType)
	switch c.exit.letter {
	case 'P', 'r':
		return true // the kernel has no other
	case 'l', 'm':
		return flags&1 != 0
	case 't':
		return flags&unix.SOCK_CLOEXEC != 0
	}
	return flags&oCloexec != 0 || typ&unix.SOCK_CLOEXEC != 0
}

// onExec notes whether an exec closes a descriptor.
func (t *Table) onExec(f *files, fd int64, closes bool) {
	if d, ok := f.fds[fd]; ok && d.cloexec != closes {
		d.cloexec = closes
		f.fds[fd] = d
	}
}

// closeOnExec forgets what the kernel closes at an exec. sysdig does not.
func (t *Table) closeOnExec(f *files) {
	if t.cfg.Sysdig {
		return
	}
	for fd, d := range f.fds {
		if d.cloexec {
			t.unset(f, fd)
		}
	}
}

// ioctl follows the two requests that are what F_SETFD is.
func (t *Table) ioctl(c *call) {
	fd, ok := c.int(fieldFD)
	request, _ := c.int(fieldRequest)
	if ok && (request == fioclex || request == fnoclex) {
		t.onExec(c.thread.files, fd, request == fioclex)
	}
}

// closeRange closes many descriptors, or has an exec close them.
func (t *Table) closeRange(c *call) {
	first, okFirst := c.exit.int(fieldFirst)
	last, okLast := c.exit.int(fieldLast)
	flags, _ := c.exit.int(fieldFlags)
	if !okFirst || !okLast || t.cfg.Sysdig {
		return
	}
	if flags&closeRangeUnshare != 0 {
		t.ownFiles(c.thread)
	}
	f := c.thread.files
	for fd := range f.fds {
		switch {
		case fd < int64(uint32(first)) || fd > int64(uint32(last)):
		case flags&closeRangeCloexec != 0:
			t.onExec(f, fd, true)
		default:
			t.unset(f, fd)
		}
	}
}

// unshare gives the thread descriptors and a directory of its own.
func (t *Table) unshare(c *call) {
	flags, _ := c.int(fieldFlags)
	if t.cfg.Sysdig {
		return
	}
	if flags&cloneFiles != 0 {
		t.ownFiles(c.thread)
	}
	// A new mount or user namespace takes a directory of its own along.
	if flags&(cloneFS|cloneNewNS|cloneNewUser) != 0 {
		c.thread.dir = &dir{c.thread.dir.path}
	}
}

// ownFiles gives the thread a copy of its descriptors, if others have the same.
func (t *Table) ownFiles(th *Thread) {
	if th.files.refs > 1 {
		own := t.copyFiles(th.files)
		t.release(th.files)
		th.files = own
	}
}
