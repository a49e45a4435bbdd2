package state

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
)

// sock is what is known of a socket besides its name. libsinsp guesses from it,
// and from what it has guessed before, so that all of it is kept as there.
type sock struct {
	ends    ends
	listens bool // it has an own end only
	role    role

	bound     bool // to an address of its own
	connected bool // messages do not change its ends
}

// role says who has begun a connection.
type role uint8

const (
	roleNone role = iota
	roleClient
	roleServer
)

// ends are the two ends of a socket and its protocol. In libsinsp they are a
// union of what the kinds of sockets have: what a socket was before shows in
// what it becomes.
type ends [37]byte

// place says where a kind of socket has its ends, the source first of all. One
// that listens has no destination.
type place struct {
	size, dest   int // of an address
	sport, dport int
	l4           int
}

var (
	connected4 = place{size: 4, dest: 4, sport: 8, dport: 10, l4: 12}
	connected6 = place{size: 16, dest: 16, sport: 32, dport: 34, l4: 36}
	listening4 = place{size: 4, sport: 4, l4: 6}
	listening6 = place{size: 16, sport: 16, l4: 18}
)

// placeOf is the place for a kind of descriptor.
func (s *sock) placeOf(letter byte) (place, bool) {
	switch {
	case letter == '4' && s.listens:
		return listening4, true
	case letter == '4':
		return connected4, true
	case letter == '6' && s.listens:
		return listening6, true
	case letter == '6':
		return connected6, true
	}
	return place{}, false
}

func (e *ends) addr(p place, at int) netip.Addr {
	a, _ := netip.AddrFromSlice(e[at : at+p.size])
	return a
}

func (e *ends) port(at int) uint16 { return binary.NativeEndian.Uint16(e[at:]) }

func (e *ends) source(p place) netip.AddrPort {
	return netip.AddrPortFrom(e.addr(p, 0), e.port(p.sport))
}

func (e *ends) target(p place) netip.AddrPort {
	return netip.AddrPortFrom(e.addr(p, p.dest), e.port(p.dport))
}

// Ends are the ends that sysdig 0.29.3 finds a socket by, whether it has named it by them
// or not: of one that is being connected, too, and nowhere if it has none. A socket that
// listens has the same twice. It is false for what is none, and of live events.
func (t *Table) Ends(fd int64) (source, target netip.AddrPort, ok bool) {
	d := t.cur.files.fds[fd]
	if !t.cfg.Sysdig || t.newest() || d.sock == nil {
		return source, target, false
	}
	p, ok := d.sock.placeOf(d.Letter)
	switch {
	case !ok:
	case d.sock.listens:
		source = d.sock.ends.source(p)
		target = source
	default:
		source, target = d.sock.ends.source(p), d.sock.ends.target(p)
	}
	return source, target, ok
}

// node is the number that stands for a socket of AF_UNIX.
func (e *ends) node(at int) uint64 { return binary.NativeEndian.Uint64(e[at:]) }

func (e *ends) putAddr(p place, at int, a netip.Addr) {
	b := a.As16() // one of IPv4 is mapped
	copy(e[at:at+p.size], b[len(b)-p.size:])
}

func (e *ends) putPort(at int, port uint16) { binary.NativeEndian.PutUint16(e[at:], port) }

func (e *ends) putSource(p place, a netip.AddrPort) {
	e.putAddr(p, 0, a.Addr())
	e.putPort(p.sport, a.Port())
}

func (e *ends) putTarget(p place, a netip.AddrPort) {
	e.putAddr(p, p.dest, a.Addr())
	e.putPort(p.dport, a.Port())
}

// fill takes the ends of a message or connection and reports whether they are
// news. A destination stays that was known already, but not today.
func (t *Table) fill(e *ends, p place, source, dest netip.AddrPort) bool {
	was := *e
	e.putSource(p, source)
	if t.newest() {
		e.putTarget(p, dest)
	}
	if e.addr(p, p.dest).IsUnspecified() {
		e.putAddr(p, p.dest, dest.Addr())
	}
	if e.port(p.dport) == 0 {
		e.putPort(p.dport, dest.Port())
	}
	return *e != was
}

// has reports whether these are the ends, in any order.
func (e *ends) has(p place, source, dest netip.AddrPort) bool {
	var a, b ends
	a.putSource(p, source)
	a.putTarget(p, dest)
	b.putSource(p, dest)
	b.putTarget(p, source)
	a[p.l4], b[p.l4] = e[p.l4], e[p.l4]
	n := p.l4 + 1
	return string(e[:n]) == string(a[:n]) || string(e[:n]) == string(b[:n])
}

func (e *ends) swap(p place) {
	source, dest := e.source(p), e.target(p)
	e.putSource(p, dest)
	e.putTarget(p, source)
}

// l4Letter is how the protocol is shown: of a connection if it is known who has
// begun it.
func (s *sock) l4Letter(letter byte) byte {
	p, ok := s.placeOf(letter)
	if !ok {
		return 0
	}
	l4 := s.ends[p.l4]
	if int(l4) >= len(l4Letters) || s.role == roleNone && !s.listens && l4 != capture.L4Raw {
		return 0
	}
	return l4Letters[l4]
}

// l4Letters are the protocols of sockets.
var l4Letters = [...]byte{capture.L4TCP: 't', capture.L4UDP: 'u', capture.L4ICMP: 'i', capture.L4Raw: 'r'}

// appendTo appends the ends as they are shown, as far as libsinsp understands
// the protocol.
func (e *ends) appendTo(dst []byte, p place) []byte {
	switch l4 := e[p.l4]; {
	case l4 == capture.L4TCP || l4 == capture.L4UDP:
		return e.appendPorts(dst, p)
	case l4 == capture.L4ICMP || l4 == capture.L4Raw && p.size == 4:
		return withoutPorts(e.appendPorts(dst, p))
	}
	return append(dst, "<unknown>"...)
}

func (e *ends) appendPorts(dst []byte, p place) []byte {
	tuple := event.SockTuple{Family: unix.AF_INET, Source: e.source(p), Dest: e.target(p)}
	if p.size != 4 {
		tuple.Family = unix.AF_INET6
	}
	return tuple.AppendTo(dst)
}
