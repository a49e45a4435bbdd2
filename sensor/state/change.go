package state

import "golang.org/x/sys/unix"

// The exits of sendmmsg and recvmmsg, which sysdig 0.29.3 does not look into.
const (
	sendmmsgExit = 51
	recvmmsgExit = 55
)

// Connected reports whether a descriptor of the event's thread is a socket that has
// been connected or accepted, or is being connected.
func (t *Table) Connected(fd int64) bool { return t.cur.files.fds[fd].connected }

// exchanged takes a socket with two ends for a connected one when something has been
// read from it or written to it, as sysdig does. The call may give it these ends.
func (t *Table) exchanged(exit half) {
	res, ok := exit.Int(0)
	if !ok || res < 0 || !t.newest() && (exit.Type() == sendmmsgExit || exit.Type() == recvmmsgExit) {
		return
	}
	fd, ok := t.EventFD(exit.View)
	d := t.cur.files.fds[fd]
	if !ok || d.sock == nil || d.connected || d.sock.listens {
		return
	}
	if d.Letter == '4' || d.Letter == '6' {
		d.connected = true
		t.cur.files.fds[fd] = d
	}
}

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
