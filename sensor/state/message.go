package state

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
)

// message names a socket by the ends of what it has sent or received, as far as
// it is not known that these are always the same.
func (t *Table) message(c *call, received bool) {
	if received {
		t.received(c)
	}
	fd, ok := c.int(fieldFD)
	if !ok {
		return
	}
	d, ok := c.thread.files.fds[fd]
	if !t.cfg.Sysdig {
		if tuple, ok := event.DecodeTuple(c.bytes(fieldTuple)); ok && t.hasMoved(&d, &tuple, received) {
			t.set(c.thread.files, fd, d)
		}
		return
	}
	if !ok && t.newest() && !received {
		d, ok = sender(c.exit.bytes(fieldTuple))
	}
	if !ok || d.Name != "" && d.Letter == '4' && d.protocol() == capture.L4TCP {
		return
	}
	ends := c.exit.bytes(fieldTuple)
	if !received && c.enter.View != nil {
		ends = c.enter.bytes(fieldTuple) // what was asked for goes before what has become of it
	}
	tuple, ok := event.DecodeTuple(ends)
	if !ok {
		return
	}
	s := d.socket()
	changed := false
	switch tuple.Family {
	case unix.AF_INET, unix.AF_INET6:
		changed = t.exchange(&d, &s, &tuple)
	case unix.AF_UNIX:
		d.Letter, s.listens = 'u', false
		s.putNodes(&tuple)
		changed = true
	}
	switch p, ok := s.placeOf(d.Letter); {
	case !changed:
	case ok && !s.listens:
		t.guess(&d, &s, c.thread.files, received)
		t.buf = s.ends.appendTo(t.buf[:0], p)
		d.call(t.buf)
	default:
		t.buf = tuple.AppendTo(t.buf[:0])
		d.call(t.buf)
	}
	d.know(&s)
	t.set(c.thread.files, fd, d)
}

// sender is a socket of which nothing is known but that it has sent to an address
// of the internet.
func sender(tuple []byte) (descriptor, bool) {
	ends, ok := event.DecodeTuple(tuple)
	if !ok || ends.Family != unix.AF_INET && ends.Family != unix.AF_INET6 {
		return descriptor{}, false
	}
	return newSocket(ends.Family, capture.L4UDP), true
}

// protocol is that of an internet socket with two ends.
func (d *descriptor) protocol() uint8 {
	if d.sock == nil || d.sock.listens {
		return capture.L4Unknown
	}
	if p, ok := d.sock.placeOf(d.Letter); ok {
		return d.sock.ends[p.l4]
	}
	return capture.L4Unknown
}

// exchange takes the ends of a message and reports whether they are news.
func (t *Table) exchange(d *descriptor, s *sock, tuple *event.SockTuple) bool {
	p, letter := connection(tuple)
	if letter == '4' {
		if tuple.Family == unix.AF_INET && d.Letter == '4' && s.listens {
			s.ends[p.l4] = s.ends[listening4.l4]
		}
		d.Letter, s.listens = '4', false
	}
	known := d.Letter == letter && !s.listens
	if known && s.ends.has(p, tuple.Source, tuple.Dest) || !t.fill(&s.ends, p, tuple.Source, tuple.Dest) {
		return false
	}
	if p, ok := s.placeOf(d.Letter); ok && !s.listens {
		if s.ends[p.l4] == capture.L4Unknown {
			s.ends[p.l4] = capture.L4UDP // others do not change their ends
		}
		t.interfaces.complete(&s.ends, p)
	}
	return true
}

// guess says who has begun if nobody knows: the one that owns the port. The
// source is shown as the client.
func (t *Table) guess(d *descriptor, s *sock, f *files, received bool) {
	if s.role == roleNone {
		s.role = roleClient
		dport, sport := s.ends.port(connected4.dport), s.ends.port(connected4.sport)
		// The socket itself is among those that are asked.
		owns := d.Letter == '4' || f.anyPort(dport, (*sock).ownPort)
		if owns && (received || d.Letter != '4' && !f.anyPort(sport, (*sock).clientPort)) {
			s.role = roleServer
		}
	}
	p, _ := s.placeOf(d.Letter)
	if received && s.role == roleClient || !received && s.role == roleServer {
		s.ends.swap(p)
	}
}

// anyPort reports whether a socket of IPv4 has the port.
func (f *files) anyPort(port uint16, of func(*sock) int) bool {
	for _, d := range f.fds {
		if d.Letter != '4' || d.sock == nil {
			continue
		}
		if at := of(d.sock); at >= 0 && d.sock.ends.port(at) == port {
			return true
		}
	}
	return false
}

// ownPort and clientPort are where a socket of IPv4 has the port of a server and
// of a client, -1 if it has none.
func (s *sock) ownPort() int {
	if s.listens {
		return listening4.sport
	}
	return connected4.dport
}

func (s *sock) clientPort() int {
	if s.listens {
		return -1
	}
	return connected4.sport
}

// sending makes a socket of which nothing is known one of UDP: it sends a
// message to an address.
func (t *Table) sending(enter half) {
	fd, ok := enter.int(fieldFD)
	if _, known := t.cur.files.fds[fd]; !ok || known || fd < 0 {
		return
	}
	tuple, ok := event.DecodeTuple(enter.bytes(fieldTuple))
	if ok && (tuple.Family == unix.AF_INET || tuple.Family == unix.AF_INET6) {
		t.set(t.cur.files, fd, newSocket(tuple.Family, capture.L4UDP))
	}
}
