package state

import "golang.org/x/sys/unix"

// Connected reports whether a descriptor of the event's thread is a socket that has
// been connected or accepted, or is being connected.
func (t *Table) Connected(fd int64) bool { return t.cur.files.fds[fd].connected }

// Renamed reports whether the event has given another name to the descriptor that it
// is about, or has made it by a name.
func (t *Table) Renamed() bool { return t.renamed }

// applyNaming is apply for a call that may name a descriptor: what it was called
// before, and is called now.
func (t *Table) applyNaming(c *call) {
	fd, ok := c.int(fieldFD)
	if c.exit.rule == ruleOpen || c.exit.rule == ruleAccept {
		fd, ok = c.res, true
	}
	before := c.thread.files.fds[fd].Name
	t.apply(c)
	d, known := c.thread.files.fds[fd]
	if !ok || !known {
		return
	}
	switch c.exit.rule {
	case ruleOpen:
		t.renamed = c.res >= 0
	case ruleAccept:
		t.renamed = c.res >= 0
		d.connected = d.connected || t.renamed
	case ruleConnect:
		begun := c.res == 0 || c.res == -int64(unix.EINPROGRESS)
		t.renamed = begun && d.Name != ""
		d.connected = d.connected || begun
	default:
		t.renamed = c.res >= 0 && before != d.Name
	}
	c.thread.files.fds[fd] = d
}
