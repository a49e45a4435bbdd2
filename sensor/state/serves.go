package state

import (
	"net/netip"
	"slices"

	"github.com/pdig/pdig/sensor/capture"
)

// Serves reports whether a descriptor of the event's thread listens, or is the end of
// a connection that has accepted it. Of a capture it says what libsinsp does: whether the
// server is on the machine, which is so of both ends of a connection within it.
func (t *Table) Serves(fd int64) bool {
	d := t.cur.files.fds[fd]
	if d.sock == nil {
		return false
	}
	p, ok := d.sock.placeOf(d.Letter)
	switch {
	case !ok:
		return false
	case d.sock.listens:
		return true
	case !t.cfg.Sysdig:
		return d.sock.role == roleServer
	}
	server := d.sock.ends.target(p).Addr()
	return server == netip.IPv6Unspecified() || t.interfaces.have(server)
}

// have reports whether an address is one of this machine.
func (n interfaces) have(a netip.Addr) bool {
	return slices.ContainsFunc(n, func(i capture.Interface) bool { return i.Addr == a })
}
