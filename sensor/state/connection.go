package state

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
)

// Of live events a socket has the ends that the records tell of, and the
// protocol that it was made with. What sysdig makes of them, which goes on with
// what it has known before, is for captures only.

// protocolOf is the protocol of a socket, whatever it is shown as.
func (d *descriptor) protocolOf() uint8 {
	if d.sock == nil {
		return capture.L4Unknown
	}
	if p, ok := d.sock.placeOf(d.Letter); ok {
		return d.sock.ends[p.l4]
	}
	return capture.L4Unknown
}

// nowhere is the end of a socket that has none.
func nowhere(a netip.AddrPort) bool { return a.Port() == 0 && a.Addr().IsUnspecified() }

// asIPv4 reports whether a connection is one of IPv4: one end is, and the other
// is or has no address.
func asIPv4(a, b netip.Addr) bool {
	of4 := func(a netip.Addr) bool { return a.Is4() || a.Is4In6() }
	return of4(a) && (of4(b) || b.IsUnspecified()) || of4(b) && a.IsUnspecified()
}

// own gives a socket an address of its own, and no peer.
func (d *descriptor) own(addr netip.AddrPort, l4 uint8) {
	s := sock{bound: true}
	p := listening6
	if d.Letter = '6'; addr.Addr().Is4() {
		d.Letter, p = '4', listening4
	}
	s.listens = true
	s.ends.putSource(p, addr)
	s.ends[p.l4] = l4
	if addr.Port() != 0 {
		s.role = roleServer
	}
	d.know(&s)
}

// between gives a socket its two ends, the client's first.
func (t *Table) between(d *descriptor, s sock, tuple *event.SockTuple, l4 uint8) {
	p := connected6
	if d.Letter = '6'; asIPv4(tuple.Source.Addr(), tuple.Dest.Addr()) {
		d.Letter, p = '4', connected4
	}
	s.listens, s.ends = false, ends{}
	s.ends.putSource(p, tuple.Source)
	s.ends.putTarget(p, tuple.Dest)
	s.ends[p.l4] = l4
	t.buf = s.ends.appendPorts(t.buf[:0], p)
	if l4 == capture.L4ICMP || l4 == capture.L4Raw {
		t.buf = withoutPorts(t.buf)
	}
	d.call(t.buf)
	d.know(&s)
}

// hasBound is for a bind that has succeeded.
func (t *Table) hasBound(d *descriptor, addr *event.SockAddr) {
	switch addr.Family {
	case unix.AF_INET, unix.AF_INET6:
		if ip := addr.IP.Addr(); ip.Is4In6() {
			addr.Family, addr.IP = unix.AF_INET, netip.AddrPortFrom(ip.Unmap(), addr.IP.Port())
		}
		d.own(addr.IP, d.protocolOf())
	case unix.AF_UNIX:
		d.Letter = 'u'
	default:
		return
	}
	t.buf = addr.AppendTo(t.buf[:0])
	d.call(t.buf)
}

// hasConnected is for a connect that has succeeded, or goes on, and reports whether it
// tells something of the socket.
func (t *Table) hasConnected(d *descriptor, tuple *event.SockTuple) bool {
	s := sock{role: roleClient, bound: d.socket().bound, connected: true}
	switch tuple.Family {
	case unix.AF_INET, unix.AF_INET6:
		if !nowhere(tuple.Dest) {
			t.between(d, s, tuple, d.protocolOf())
			return true
		}
		// Without a family it was to lose its peer.
		t.hasDisconnected(d, tuple)
	case unix.AF_UNIX:
		s.putNodes(tuple)
		d.Letter = 'u'
		t.buf = tuple.AppendTo(t.buf[:0])
		d.call(t.buf)
		d.know(&s)
	default:
		return false
	}
	return true
}

func (t *Table) hasDisconnected(d *descriptor, tuple *event.SockTuple) {
	l4 := d.protocolOf()
	if d.socket().bound && tuple.Source.Port() != 0 {
		d.own(tuple.Source, l4)
		own := event.SockAddr{Family: tuple.Family, IP: tuple.Source}
		t.buf = own.AppendTo(t.buf[:0])
		d.call(t.buf)
		return
	}
	d.Letter, d.Name = familyLetter(tuple.Family), ""
	var s sock
	if p, ok := s.placeOf(d.Letter); ok {
		s.ends[p.l4] = l4
	}
	d.know(&s)
}

// hasMoved is for a message. It names a socket that is not connected, and that
// has a peer for each message, and reports whether it does.
func (t *Table) hasMoved(d *descriptor, tuple *event.SockTuple, received bool) bool {
	s := d.socket()
	if s.connected {
		return false
	}
	switch tuple.Family {
	case unix.AF_INET, unix.AF_INET6:
		remote := tuple.Dest
		if received {
			remote = tuple.Source
		}
		if nowhere(remote) && d.Name != "" {
			return false // nobody has asked from where it came
		}
		if s.role == roleNone {
			if s.role = roleClient; received {
				s.role = roleServer
			}
		}
		if received != (s.role == roleServer) {
			tuple.Source, tuple.Dest = tuple.Dest, tuple.Source
		}
		t.between(d, s, tuple, d.protocolOf())
	case unix.AF_UNIX:
		if received && len(tuple.Path) == 0 {
			return false
		}
		d.Letter = 'u'
		s.putNodes(tuple)
		t.buf = tuple.AppendTo(t.buf[:0])
		d.call(t.buf)
		d.know(&s)
	default:
		return false
	}
	return true
}
