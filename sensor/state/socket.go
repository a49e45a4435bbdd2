package state

import (
	"bytes"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

func (t *Table) socket(c *call) {
	domain, _ := c.int(fieldDomain)
	d := kind(familyLetter(uint8(domain)))
	typ, _ := c.int(fieldType)
	proto, _ := c.int(fieldProto)
	d.setProtocol(l4Letter(typ, proto))
	d.showL4()
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

// l4Letter is the protocol of an internet socket, 0 if libsinsp does not know
// it.
func l4Letter(typ, proto int64) byte {
	typ &= sockTypeMask
	switch {
	case proto == unix.IPPROTO_RAW:
		return 'r'
	case proto == unix.IPPROTO_IP && typ == unix.SOCK_STREAM:
		return 't'
	case proto == unix.IPPROTO_IP && typ == unix.SOCK_DGRAM:
		return 'u'
	case proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_UDP && proto != unix.IPPROTO_ICMP:
		return 0
	case typ == unix.SOCK_RAW:
		return 'r'
	case proto == unix.IPPROTO_TCP:
		return 't'
	case proto == unix.IPPROTO_UDP:
		return 'u'
	}
	return 'i'
}

// protocol is the letter of a socket's protocol.
func (d *descriptor) protocol() byte {
	switch d.Letter {
	case '4':
		return d.l4v4
	case '6':
		return d.l4v6
	}
	return 0
}

// setProtocol is for the kind of socket that it is now.
func (d *descriptor) setProtocol(l4 byte) {
	switch d.Letter {
	case '4':
		d.l4v4 = l4
	case '6':
		d.l4v6 = l4
	}
}

// showL4 shows the protocol of a socket that has a name, or is raw.
func (d *descriptor) showL4() {
	d.L4 = d.protocol()
	if d.Name == "" && d.L4 != 'r' {
		d.L4 = 0
	}
}

// ipLetter is the kind of a socket with one or two addresses of family. libsinsp
// takes one of IPv6 for one of IPv4 if they are mapped.
func ipLetter(family uint8, addrs ...netip.AddrPort) byte {
	letter := familyLetter(family)
	if letter != '6' {
		return letter
	}
	for _, a := range addrs {
		if !a.Addr().Is4In6() && a.Addr() != netip.IPv6Unspecified() {
			return '6'
		}
	}
	return '4'
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
	case unix.AF_INET, unix.AF_INET6:
		// Of a socket that gets some port, libsinsp shows the address only.
		if addr.IP.Port() != 0 {
			l4 := d.protocol()
			d.Letter = ipLetter(addr.Family, addr.IP)
			d.setProtocol(l4)
		}
	case unix.AF_UNIX:
	default:
		return
	}
	t.buf = addr.AppendTo(t.buf[:0])
	d.Name, d.server = string(t.buf), true
	if d.showL4(); addr.Family != unix.AF_UNIX && addr.IP.Port() == 0 {
		d.L4 = 0
	}
	t.set(c.thread.files, fd, d)
}

// connecting makes a descriptor what it is about to be connected to.
func (t *Table) connecting(enter half) {
	addr, ok := event.DecodeSockAddr(enter.bytes(fieldAddr))
	fd, fdOK := enter.int(fieldFD)
	if !ok || !fdOK {
		return
	}
	d, ok := t.cur.files.fds[fd]
	if !ok {
		return
	}
	switch addr.Family {
	case unix.AF_INET, unix.AF_INET6:
		d.Letter = ipLetter(addr.Family, addr.IP)
	case unix.AF_UNIX:
		d.Name = string(addr.Path)
	default:
		return
	}
	if d.L4 != 0 {
		d.showL4() // of the family that it has now
	}
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
	t.unset(c.thread.files, c.res)
	t.connected(c, c.res, kind('u'))
}

// connected names a socket by the two ends of its connection.
func (t *Table) connected(c *call, fd int64, d descriptor) {
	tuple, ok := event.DecodeTuple(c.exit.bytes(fieldTuple))
	if !ok {
		return
	}
	switch tuple.Family {
	case unix.AF_INET, unix.AF_INET6:
		d.Letter = ipLetter(tuple.Family, tuple.Source, tuple.Dest)
		d.server = c.exit.rule == ruleAccept
		if c.exit.rule == ruleAccept {
			// The listening socket is not in the event, but only a stream can be
			// accepted from.
			d.setProtocol('t')
		}
		t.buf = d.appendEnds(t.buf[:0], tuple)
	case unix.AF_UNIX:
		t.buf = tuple.AppendTo(t.buf[:0])
	default:
		return
	}
	d.Name = string(t.buf)
	d.showL4()
	t.set(c.thread.files, fd, d)
}

// appendEnds appends the ends of a connection, as far as libsinsp understands
// its protocol.
func (d *descriptor) appendEnds(dst []byte, tuple event.SockTuple) []byte {
	switch l4 := d.protocol(); {
	case l4 == 't' || l4 == 'u':
		return tuple.AppendTo(dst)
	case l4 == 0 || l4 == 'r' && d.Letter == '6':
		return append(dst, "<unknown>"...)
	}
	return withoutPorts(tuple.AppendTo(dst))
}

// withoutPorts takes the ports out of a:port->b:port, in place.
func withoutPorts(tuple []byte) []byte {
	source, dest, _ := bytes.Cut(tuple, []byte("->"))
	source = source[:max(0, bytes.LastIndexByte(source, ':'))]
	dest = dest[:max(0, bytes.LastIndexByte(dest, ':'))]
	return append(append(source, "->"...), dest...)
}
