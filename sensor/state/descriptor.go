package state

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// Commands of fcntl that make a descriptor, in Falco's numbering.
const (
	fDupFD        = 1
	fDupFDCloexec = 0x1a
)

// close forgets the descriptor when the event has been shown.
func (t *Table) close(c *call) {
	if fd, ok := c.int(fieldFD); ok && fd >= 0 {
		t.closed, t.closedIn = fd, c.thread.files
	}
}

func (t *Table) dup(c *call) {
	fd, ok := c.exit.int(fieldOldFD)
	if !ok {
		fd, ok = c.int(fieldFD)
	}
	if ok {
		t.copy(c, fd)
	}
}

func (t *Table) fcntl(c *call) {
	cmd, _ := c.int(fieldCmd)
	// The first parameter of the exit is its result; fd is another.
	fd, ok := c.int(fieldFD)
	switch {
	case !ok:
	case cmd == fDupFD || cmd == fDupFDCloexec:
		if t.copy(c, fd) {
			c.thread.lastFD = c.res
		}
		t.onExec(c.thread.files, c.res, cmd == fDupFDCloexec)
	case cmd == fSetFD:
		arg, _ := c.int(fieldArg) // 0 if it is not known: then it stays open
		t.onExec(c.thread.files, fd, arg&unix.FD_CLOEXEC != 0)
	}
}

// copy names the new descriptor like the one it was made from, and reports whether
// the event is about the new one: for sysdig it is about the old one where it does not
// know that.
func (t *Table) copy(c *call, fd int64) bool {
	d, ok := c.thread.files.fds[fd]
	switch {
	case ok:
		d.cloexec = c.cloexec()
		t.set(c.thread.files, c.res, d)
	case !t.cfg.Sysdig:
		t.unset(c.thread.files, c.res)
	default:
		t.uncopied = fd
	}
	return ok || !t.cfg.Sysdig
}

// pair is a call that makes two descriptors.
func (t *Table) pair(c *call) {
	var of *file
	if ino, ok := c.exit.int(fieldIno); ok && ino != 0 {
		of = &file{ino: uint64(ino)}
	}
	for _, f := range [...]field{fieldFD1, fieldFD2} {
		if fd, ok := c.exit.int(f); ok {
			d := kind(c.exit.letter)
			d.file = of
			d.cloexec = c.cloexec()
			t.set(c.thread.files, fd, d)
		}
	}
}

// create is a call that makes a descriptor out of nothing.
func (t *Table) create(c *call) {
	d := kind(c.exit.letter)
	d.cloexec = c.cloexec()
	switch d.Letter {
	case event.UserFault:
		if t.cfg.Sysdig && !t.newest() {
			return // sysdig 0.29.3 does not follow it
		}
	case 'm':
		d.Name = string(c.exit.str(fieldName))
	case 'P':
		if pid, ok := c.exit.int(fieldPID); ok {
			d.Name = "/proc/" + strconv.FormatInt(pid, 10)
		}
	}
	t.renamed = t.newest() && d.Name != ""
	t.set(c.thread.files, c.res, d)
}

func kind(letter byte) descriptor {
	return descriptor{FDName: event.FDName{Letter: letter}}
}
