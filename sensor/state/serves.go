package state

import (
	"net/netip"
	"slices"

	"github.com/pdig/pdig/sensor/capture"
)

// Serves is [Table.Server] of live events. Of a capture it says what libsinsp does:
// whether a descriptor listens, or the server of its connection is on the machine, which
// is so of both ends of a connection within it.
func (t *Table) Serves(fd int64) bool {
	if !t.cfg.Sysdig {
		return t.Server(fd)
	}
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
	}
	server := d.sock.ends.target(p).Addr()
	return server == netip.IPv6Unspecified() || t.interfaces.have(server)
}

// Begun reports whether it is known who has begun the connection of a descriptor.
func (t *Table) Begun(fd int64) bool {
	s := t.cur.files.fds[fd].sock
	return s != nil && s.role != roleNone
}

// have reports whether an address is one of this machine.
func (n interfaces) have(a netip.Addr) bool {
	return slices.ContainsFunc(n, func(i capture.Interface) bool { return i.Addr == a })
}
