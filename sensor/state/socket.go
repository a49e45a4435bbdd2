package state

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

func (t *Table) socket(c *call) {
	domain, _ := c.int(fieldDomain)
	d := kind(familyLetter(uint8(domain)))
	if d.Letter == '4' || d.Letter == '6' {
		typ, _ := c.int(fieldType)
		proto, _ := c.int(fieldProto)
		d.l4 = l4Letter(typ, proto)
	}
	t.set(c.thread.files, c.res, d)
}

func familyLetter(family uint8) byte {
	switch family {
	case unix.AF_INET:
		return '4'
	case unix.AF_INET6:
		return '6'
	case unix.AF_UNIX:
		return 'u'
	case unix.AF_NETLINK:
		return 'n'
	}
	return 'o'
}

// sockTypeMask leaves the kind of a socket of the type argument, which may have
// SOCK_NONBLOCK and SOCK_CLOEXEC in it.
const sockTypeMask = 0xf

// l4Letter is the protocol of an internet socket, 0 if it is another.
func l4Letter(typ, proto int64) byte {
	typ &= sockTypeMask
	switch {
	case typ == unix.SOCK_RAW || proto == unix.IPPROTO_RAW:
		return 'r'
	case proto == unix.IPPROTO_TCP, proto == unix.IPPROTO_IP && typ == unix.SOCK_STREAM:
		return 't'
	case proto == unix.IPPROTO_UDP, proto == unix.IPPROTO_IP && typ == unix.SOCK_DGRAM:
		return 'u'
	case proto == unix.IPPROTO_ICMP:
		return 'i'
	}
	return 0
}

// bind gives a socket its own address for a name.
func (t *Table) bind(c *call) {
	addr, ok := event.DecodeSockAddr(c.bytes(fieldAddr))
	fd, fdOK := c.int(fieldFD)
	if !ok || !fdOK {
		return
	}
	d, ok := c.thread.files.fds[fd]
	if !ok {
		return
	}
	switch addr.Family {
	case unix.AF_INET:
		d.Letter, d.L4 = '4', d.l4
	case unix.AF_INET6:
		d.Letter, d.L4 = '6', d.l4
		if mapped(addr.IP) {
			d.Letter = '4'
		}
	case unix.AF_UNIX:
		d.Letter, d.L4 = 'u', 0
	default:
		return
	}
	t.buf = addr.AppendTo(t.buf[:0])
	d.Name = string(t.buf)
	t.set(c.thread.files, fd, d)
}

// connecting names a socket by the path that it is about to be connected to.
func (t *Table) connecting(enter half) {
	addr, ok := event.DecodeSockAddr(enter.bytes(fieldAddr))
	fd, fdOK := enter.int(fieldFD)
	if !ok || !fdOK || addr.Family != unix.AF_UNIX {
		return
	}
	d, ok := t.cur.files.fds[fd]
	if !ok {
		return
	}
	d.Letter, d.L4, d.Name = 'u', 0, string(addr.Path)
	t.set(t.cur.files, fd, d)
}

func (t *Table) connect(c *call) {
	if c.res < 0 && c.res != -int64(unix.EINPROGRESS) {
		return
	}
	fd, ok := c.int(fieldFD)
	if !ok {
		return
	}
	if d, ok := c.thread.files.fds[fd]; ok {
		t.connected(c, fd, d)
	}
}

func (t *Table) accept(c *call) {
	// The listening socket is not in the event, but only a stream can be
	// accepted from.
	t.unset(c.thread.files, c.res)
	t.connected(c, c.res, descriptor{l4: 't'})
}

// connected names a socket by the two ends of its connection.
func (t *Table) connected(c *call, fd int64, d descriptor) {
	tuple, ok := event.DecodeTuple(c.exit.bytes(fieldTuple))
	if !ok {
		return
	}
	d.Letter, d.L4 = familyLetter(tuple.Family), 0
	switch tuple.Family {
	case unix.AF_INET:
		d.L4 = d.l4
	case unix.AF_INET6:
		d.L4 = d.l4
		if mapped(tuple.Source) && mapped(tuple.Dest) {
			d.Letter = '4'
		}
	case unix.AF_UNIX:
	default:
		return
	}
	t.buf = tuple.AppendTo(t.buf[:0])
	d.Name = string(t.buf)
	t.set(c.thread.files, fd, d)
}

// mapped reports whether libsinsp takes an IPv6 address for one of IPv4.
func mapped(a netip.AddrPort) bool {
	return a.Addr().Is4In6() || a.Addr() == netip.IPv6Unspecified()
}
