package state

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
)

func (t *Table) socket(c *call) {
	domain, ok := c.int(fieldDomain)
	if !ok && t.cfg.Sysdig {
		return // the enter event was before the capture: sysdig goes on with what it knew
	}
	typ, _ := c.int(fieldType)
	proto, _ := c.int(fieldProto)
	d := newSocket(uint8(domain), protocol(typ, proto))
	d.cloexec = c.cloexec()
	t.set(c.thread.files, c.res, d)
}

// newSocket is a socket without a name.
func newSocket(family, l4 uint8) descriptor {
	d := kind(familyLetter(family))
	var s sock
	if p, ok := s.placeOf(d.Letter); ok {
		s.ends[p.l4] = l4
	}
	d.know(&s)
	return d
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

// protocol is the one of an internet socket, as far as libsinsp knows it.
func protocol(typ, proto int64) uint8 {
	typ &= sockTypeMask
	switch {
	case proto == unix.IPPROTO_RAW:
		return capture.L4Raw
	case proto == unix.IPPROTO_IP && typ == unix.SOCK_STREAM:
		return capture.L4TCP
	case proto == unix.IPPROTO_IP && typ == unix.SOCK_DGRAM:
		return capture.L4UDP
	case proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_UDP && proto != unix.IPPROTO_ICMP:
		return capture.L4Unknown
	case typ == unix.SOCK_RAW:
		return capture.L4Raw
	case proto == unix.IPPROTO_TCP:
		return capture.L4TCP
	case proto == unix.IPPROTO_UDP:
		return capture.L4UDP
	}
	return capture.L4ICMP
}

// socket is what is known of a descriptor as a socket.
func (d *descriptor) socket() sock {
	if d.sock == nil {
		return sock{}
	}
	return *d.sock
}

// know is the end of a change: of s, or of the letter.
func (d *descriptor) know(s *sock) {
	if d.sock == nil || *d.sock != *s {
		own := *s
		d.sock = &own
	}
	d.L4 = s.l4Letter(d.Letter)
}

// call names a descriptor. A name that it has already costs nothing.
func (d *descriptor) call(name []byte) {
	if d.Name != string(name) {
		d.Name = string(name)
	}
}

// mapped reports whether libsinsp takes an address of IPv6 for one of IPv4.
func mapped(a netip.Addr) bool { return a.Is4In6() || a == netip.IPv6Unspecified() }

// connection is the place of a connection with these ends, and its letter.
func connection(tuple *event.SockTuple) (place, byte) {
	if tuple.Family == unix.AF_INET || mapped(tuple.Source.Addr()) && mapped(tuple.Dest.Addr()) {
		return connected4, '4'
	}
	return connected6, '6'
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
	if !t.cfg.Sysdig {
		t.hasBound(&d, &addr)
		t.set(c.thread.files, fd, d)
		return
	}
	s := d.socket()
	switch addr.Family {
	case unix.AF_INET, unix.AF_INET6:
		// A socket that gets some port is taken for none that listens.
		if addr.IP.Port() != 0 {
			d.listen(&s, addr.IP)
		}
	case unix.AF_UNIX:
	default:
		return
	}
	t.buf = addr.AppendTo(t.buf[:0])
	d.call(t.buf)
	d.know(&s)
	t.set(c.thread.files, fd, d)
}

// listen makes a descriptor one with an address of its own.
func (d *descriptor) listen(s *sock, own netip.AddrPort) {
	v6 := own.Addr().Is6() // its protocol is that of a connection of IPv6, then
	l4 := s.ends[connected4.l4]
	if v6 {
		l4 = s.ends[connected6.l4]
	}
	p := listening4
	if d.Letter = '4'; v6 && !mapped(own.Addr()) {
		d.Letter, p = '6', listening6
	}
	s.ends.putSource(p, own)
	s.ends[p.l4] = l4
	s.listens, s.role = true, roleServer
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
	s := d.socket()
	switch addr.Family {
	case unix.AF_INET, unix.AF_INET6:
		if !t.cfg.Sysdig {
			return // its end will tell
		}
		p := connected4
		if d.Letter = '4'; addr.Family == unix.AF_INET6 && !mapped(addr.IP.Addr()) {
			d.Letter, p = '6', connected6
		}
		s.listens = false
		s.ends.putTarget(p, addr.IP)
	case unix.AF_UNIX:
		t.renamed = d.Name != string(addr.Path)
		d.call(addr.Path)
	default:
		return
	}
	d.know(&s)
	t.set(t.cur.files, fd, d)
}

func (t *Table) connect(c *call) {
	if c.res < 0 && c.res != -int64(unix.EINPROGRESS) {
		return
	}
	tuple, ok := event.DecodeTuple(c.exit.bytes(fieldTuple))
	fd, fdOK := c.int(fieldFD)
	if !ok || !fdOK {
		return
	}
	d, ok := c.thread.files.fds[fd]
	if !t.cfg.Sysdig {
		if t.hasConnected(&d, &tuple) {
			t.set(c.thread.files, fd, d)
		}
		return
	}
	if !ok {
		return
	}
	s := d.socket()
	switch tuple.Family {
	case unix.AF_INET, unix.AF_INET6:
		p, letter := connection(&tuple)
		d.Letter, s.listens = letter, false
		news := !s.ends.has(p, tuple.Source, tuple.Dest) && t.fill(&s.ends, p, tuple.Source, tuple.Dest)
		if news && s.role == roleServer && letter == '4' && s.ends[p.l4] == capture.L4UDP {
			s.ends.swap(p)
		}
		t.buf = s.ends.appendTo(t.buf[:0], p)
	case unix.AF_UNIX:
		if t.newest() && d.Letter != 'u' {
			return
		}
		s.putNodes(&tuple)
		t.buf = tuple.AppendTo(t.buf[:0])
	default:
		return
	}
	if s.role == roleNone {
		s.role = roleClient
	}
	d.call(t.buf)
	d.know(&s)
	t.set(c.thread.files, fd, d)
}

// putNodes takes the numbers that stand for two sockets of AF_UNIX.
func (s *sock) putNodes(tuple *event.SockTuple) {
	binary.NativeEndian.PutUint64(s.ends[:], tuple.SourceNode)
	binary.NativeEndian.PutUint64(s.ends[8:], tuple.DestNode)
}

func (t *Table) accept(c *call) {
	if !t.cfg.Sysdig {
		t.unset(c.thread.files, c.res)
	}
	tuple, ok := event.DecodeTuple(c.exit.bytes(fieldTuple))
	if !ok {
		return
	}
	d, s := kind('u'), sock{role: roleServer, connected: true}
	d.cloexec = c.cloexec()
	switch tuple.Family {
	case unix.AF_INET, unix.AF_INET6:
		if !t.cfg.Sysdig {
			t.between(&d, s, &tuple, capture.L4TCP)
			t.set(c.thread.files, c.res, d)
			return
		}
		var p place
		p, d.Letter = connection(&tuple)
		t.fill(&s.ends, p, tuple.Source, tuple.Dest)
		// The listening socket is not in the event, but only a stream can be
		// accepted from.
		s.ends[p.l4] = capture.L4TCP
	case unix.AF_UNIX:
		s.putNodes(&tuple)
	default:
		return
	}
	t.buf = tuple.AppendTo(t.buf[:0])
	d.call(t.buf)
	d.know(&s)
	t.set(c.thread.files, c.res, d)
}

// withoutPorts takes the ports out of a:port->b:port, in place.
func withoutPorts(tuple []byte) []byte {
	source, dest, _ := bytes.Cut(tuple, []byte("->"))
	source = source[:max(0, bytes.LastIndexByte(source, ':'))]
	dest = dest[:max(0, bytes.LastIndexByte(dest, ':'))]
	return append(append(source, "->"...), dest...)
}
