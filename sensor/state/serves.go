package state

import (
	"net/netip"
	"slices"

	"github.com/pdig/pdig/sensor/capture"
)

// Serves reports whether a descriptor of the event's thread listens, or is one end
// of a connection whose server is on this machine: the other end is a client's of
// this machine, too, then. That is what libsinsp says.
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
	case !t.cfg.Sysdig && d.sock.role == roleServer:
		return true // whatever the addresses of its network are
	}
	server := d.sock.ends.target(p).Addr()
	if t.cfg.Sysdig && server == netip.IPv6Unspecified() {
		return true // as any machine's
	}
	return t.interfaces.have(server)
}

// have reports whether an address is one of this machine.
func (n interfaces) have(a netip.Addr) bool {
	return slices.ContainsFunc(n, func(i capture.Interface) bool { return i.Addr == a })
}
