package tracer

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// endpoints are the two addresses of a socket as the kernel has them, and for a
// unix socket, whose addresses do not tell it from others, an identity.
type endpoints struct {
	buf         [2][unix.SizeofSockaddrAny]byte
	local, peer []byte // parts of buf, or nil
	ino         uint64
	packets     bool // each with an address of its own, if a call gives one
	raw         bool // and below those with ports
	connecting  bool // asked for by a connect: the peer need not have answered yet
	assumed     bool // peer is the address of the call, no better one is known
	listed      bool // from the lists in /proc, see putName

	proto   uint8 // of a socket of the internet
	listens bool

	kept map[uint64]*recalled // where sockets may not be copied, by inode
}

// detail is how much is asked about a socket: every question is a call.
type detail uint8

const (
	onlyEnds detail = iota
	withType        // and whether it is one of packets
	all             // and the protocol, and whether it listens
)

// ask fills e with both ends of descriptor fd of th, and what else is wanted, as far
// as they can be known. It returns false if the descriptor is none, or not a socket.
func (e *endpoints) ask(th *thread, fd int, want detail) bool {
	e.forget()
	p := th.proc
	if p.mem.copies != nil {
		return e.take(p.mem.copies.socket(fd))
	}
	n, err := p.sockets.copyOf(th, fd)
	switch {
	case errors.Is(err, unix.EBADF):
		return false
	case err != nil:
		return e.recall(th, fd)
	}
	if p.mem.served == nil || !p.mem.served.locks {
		e.look(n, want)
		return e.local != nil
	}
	// Another thread may have locked the socket and wait for memory: for a tracee.
	if !p.mem.served.helper() {
		unix.Close(n)
		return true
	}
	connecting := e.connecting
	seen, ok := answer(p.mem.served, func() *endpoints {
		e := endpoints{connecting: connecting}
		e.look(n, want)
		return &e
	})
	if ok {
		e.buf, e.ino, e.packets, e.raw, e.proto, e.listens = seen.buf, seen.ino, seen.packets, seen.raw, seen.proto, seen.listens
		e.local, e.peer = e.within(0, seen.local), e.within(1, seen.peer)
		return e.local != nil
	}
	return true
}

// look fills e from a socket of the tracer, which it closes.
func (e *endpoints) look(n int, want detail) {
	defer unix.Close(n)
	e.local = sys.SockName(n, e.buf[0][:])
	e.peer = nil
	f := family(e.local)
	internet := f == unix.AF_INET || f == unix.AF_INET6
	if internet && e.connecting {
		e.peer = sys.Destination(n, e.buf[1][:len(e.local)])
	}
	if e.peer == nil {
		e.peer = sys.PeerName(n, e.buf[1][:])
	}
	if e.peer == nil && internet { // the connection is over: what has come by it can still be read
		e.peer = sys.Destination(n, e.buf[1][:len(e.local)])
	}
	var st unix.Stat_t
	if f == unix.AF_UNIX && unix.Fstat(n, &st) == nil {
		e.ino = st.Ino
	}
	if want >= withType {
		typ, _ := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_TYPE)
		e.raw = typ == unix.SOCK_RAW
		e.packets = typ == unix.SOCK_DGRAM || e.raw
	}
	if want == all {
		proto, _ := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		listens, _ := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		e.proto, e.listens = uint8(proto), listens != 0
	}
}

// forget empties e but for what is kept.
func (e *endpoints) forget() {
	e.local, e.peer, e.ino, e.packets, e.raw, e.assumed, e.listed, e.proto, e.listens = nil, nil, 0, false, false, false, false, 0, false
}

// within is the part of buffer i that another one has of its own.
func (e *endpoints) within(i int, part []byte) []byte {
	if part == nil {
		return nil
	}
	return e.buf[i][:len(part)]
}

// domain is the family of a new socket. Falco's drivers look at one byte of it;
// the kernel refuses what has more.
func domain(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(p.Type.Size(), syscalls.TransSocketFamily.Translate(abis[0].arch, th.call.args[0]&0xff))
}

// einprogress is the result of a connect that goes on without the caller.
const einprogress = -int64(unix.EINPROGRESS)

// direction is which end of a connection a tuple begins with.
type direction bool

const (
	outbound direction = false // from the own end to the peer
	inbound  direction = true  // from the peer to the own end
)

// tuple appends the two ends of descriptor fd. addr is the peer's address as
// the call has it, for a socket that is not connected to one.
func (t *Tracer) tuple(th *thread, fd int, addr []byte, way direction) {
	if !t.ends.ask(th, fd, onlyEnds) {
		t.enc.Empty()
		return
	}
	t.appendTuple(addr, way)
}

// packetTuple is tuple for what is sent or has come: the address of a packet
// goes before that of a peer which the socket is connected to.
func (t *Tracer) packetTuple(th *thread, fd int, addr []byte, way direction) {
	e := &t.ends
	want := onlyEnds
	if len(addr) > 0 {
		want = withType
	}
	if !e.ask(th, fd, want) {
		t.enc.Empty()
		return
	}
	if e.packets && len(addr) > 0 {
		e.giveFamily(addr)
		if f := family(addr); f == family(e.local) || f == unix.AF_INET {
			e.peer = addr
		}
	}
	t.appendTuple(addr, way)
}

// giveFamily does as the kernel does with an address without a family: for a
// socket of IPv4 it is one of IPv4 (net/ipv4: __inet_bind, udp_sendmsg).
func (e *endpoints) giveFamily(addr []byte) {
	if len(addr) >= 2 && family(addr) == unix.AF_UNSPEC && family(e.local) == unix.AF_INET {
		binary.NativeEndian.PutUint16(addr, unix.AF_INET)
	}
}

const enterBind = 20

// bound is for after a bind: the kernel may have chosen the family and the port.
func (t *Tracer) bound(th *thread) {
	c := &th.call
	if c.ret != 0 || family(c.addr) != unix.AF_UNSPEC && !anyPort(c.addr) || !t.ends.ask(th, int(int32(c.args[0])), onlyEnds) {
		return
	}
	t.ends.giveFamily(c.addr)
	if anyPort(c.addr) && family(c.addr) == family(t.ends.local) {
		copy(c.addr[2:4], t.ends.local[2:4])
	}
}

// anyPort reports whether an address of the internet leaves the port to the
// kernel.
func anyPort(addr []byte) bool {
	f := family(addr)
	return (f == unix.AF_INET || f == unix.AF_INET6) && noPort(addr)
}

// noPort is anyPort of an address that may have no family.
func noPort(addr []byte) bool { return len(addr) >= 4 && addr[2]|addr[3] == 0 }

func (t *Tracer) appendTuple(addr []byte, way direction) {
	e := &t.ends
	if e.peer == nil || family(e.peer) == unix.AF_UNIX && len(e.peer) <= 2 {
		e.peer, e.assumed = addr, true // not connected, or to one without a name
	}
	dst := t.scratch[:0]
	switch unixSocket := family(e.local) == unix.AF_UNIX || family(e.peer) == unix.AF_UNIX; {
	case unixSocket && way == inbound:
		dst = event.AppendUnixTuple(dst, e.ino, 0, e.local)
	case unixSocket:
		dst = event.AppendUnixTuple(dst, 0, e.ino, e.peer)
	case way == inbound:
		dst = event.AppendTuple(dst, e.peer, e.local)
	default:
		dst = event.AppendTuple(dst, e.local, e.peer)
	}
	t.enc.Bytes(dst)
}

// connectTuple goes from the own end to the peer.
func connectTuple(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret != 0 && c.ret != einprogress {
		t.enc.Empty()
		return
	}
	e, fd := &t.ends, int(int32(c.args[0]))
	e.connecting = true
	refused := th.proc.sockets.refused
	e.connected(th, fd, c.addr)
	ok := e.ask(th, fd, onlyEnds)
	if th.proc.sockets.refused && !refused { // the first question of a process
		e.connected(th, fd, c.addr)
		ok = e.ask(th, fd, onlyEnds)
	}
	e.connecting = false
	if !ok {
		t.enc.Empty()
		return
	}
	t.appendTuple(c.addr, outbound)
}

// acceptTuple goes from the peer to the own end.
func acceptTuple(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret < 0 {
		t.enc.Empty()
		return
	}
	t.tuple(th, int(c.ret), t.writtenAddress(th), inbound)
}

// writtenAddress is the peer's address that an accept has written for the
// program, if it asked for it.
func (t *Tracer) writtenAddress(th *thread) []byte {
	c := &th.call
	var size [4]byte
	if c.args[1] == 0 || !th.proc.mem.full(size[:], c.args[2]) {
		return nil
	}
	return t.address(th, c.args[1], binary.LittleEndian.Uint32(size[:]))
}

// family is the address family of a kernel socket address.
func family(addr []byte) uint16 {
	if len(addr) < 2 {
		return unix.AF_UNSPEC
	}
	return binary.NativeEndian.Uint16(addr)
}

// queue is the accept queue of the socket that a call has accepted from.
type queue struct {
	known    bool
	len, max uint32
}

// queueFunc is a function of the table that tells of the accept queue.
func queueFunc(f func(*queue) uint64) func(*Tracer, *thread, *syscalls.Param) {
	return func(t *Tracer, th *thread, p *syscalls.Param) { t.enc.Int(p.Type.Size(), f(t.acceptQueue(th))) }
}

// acceptQueue looks at the queue once for all parameters of the record. The
// tcp_info of a listening TCP socket has the lengths in the fields unacked and
// sacked (net/ipv4/tcp.c, tcp_get_info); for unix sockets see [sockDiag].
func (t *Tracer) acceptQueue(th *thread) *queue {
	q := &th.call.queue
	if q.known || th.call.ret < 0 {
		return q
	}
	q.known = true
	fd := int(int32(th.call.args[0]))
	if copies := th.proc.mem.copies; copies != nil {
		if s := copies.socket(fd); s != nil {
			q.len, q.max = s.Queue, s.Max
		}
		return q
	}
	n, err := th.proc.sockets.copyOf(th, fd)
	if err != nil {
		t.recallQueue(th, fd, q, err)
		return q
	}
	defer unix.Close(n)
	if info, err := unix.GetsockoptTCPInfo(n, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
		q.len, q.max = info.Unacked, info.Sacked
		return q
	}
	var st unix.Stat_t
	if domain, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil && domain == unix.AF_UNIX && unix.Fstat(n, &st) == nil {
		q.len, q.max = t.diag.queue(uint32(st.Ino))
	}
	return q
}

// percent is how full the queue is.
func (q *queue) percent() uint64 {
	if q.max == 0 {
		return 0
	}
	return uint64(q.len) * 100 / uint64(q.max)
}
