package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// message is struct msghdr of the tracee.
type message struct {
	name, iov, count, control uint64
	nameLen                   uint32
	controlLen                uint64
	length                    uint32 // msg_len of struct mmsghdr
}

// multiple reports whether the call takes a list of messages, each of which
// gives an exit event of its own.
func (s *spec) multiple() bool {
	return s.enter == enterSendmmsg || s.enter == enterRecvmmsg
}

// Codes of the two calls that take a list.
const (
	enterSendmmsg = 50
	enterRecvmmsg = 54
)

// readMessage reads the message of the call: that at argument 1 or, of a list,
// the one that the event is about. A list of which nothing has moved has none.
func (t *Tracer) readMessage(th *thread) (m message) {
	c := &th.call
	if c.spec.multiple() && c.ret <= 0 {
		return m
	}
	w := c.wordSize()
	size := 7 * w // struct msghdr, padding included
	stride, n := size, uint64(0)
	if c.spec.multiple() {
		stride, n = size+w, uint64(c.message)
	}
	var raw [64]byte
	b := raw[:stride]
	if !th.proc.mem.full(b, c.args[1]+n*stride) {
		c.hidden = c.hidden || th.proc.mem.admits()
		return m
	}
	m.name, m.nameLen = c.word(b), binary.LittleEndian.Uint32(b[w:])
	m.iov, m.count = c.word(b[2*w:]), c.word(b[3*w:])
	m.control, m.controlLen = c.word(b[4*w:]), c.word(b[5*w:])
	if stride > size {
		m.length = binary.LittleEndian.Uint32(b[size:])
	}
	return m
}

// messageSize is how many bytes of the message were moved: the result of the
// call or, of a list, the length of this message.
func (c *call) messageSize(m *message) int64 {
	if c.spec.multiple() && c.ret > 0 {
		return int64(m.length)
	}
	return c.ret
}

// mmsgRes is the result of one message of a list: its length, or why there is
// none.
func mmsgRes(t *Tracer, th *thread, p *syscalls.Param) {
	m := t.readMessage(th)
	t.enc.Int(p.Type.Size(), uint64(th.call.messageSize(&m)))
}

func mmsgLen(t *Tracer, th *thread, p *syscalls.Param) {
	m := t.readMessage(th)
	t.enc.Int(p.Type.Size(), uint64(max(th.call.messageSize(&m), 0)))
}

// msgSize is the sum of the sizes of a message's buffers.
func msgSize(t *Tracer, th *thread, p *syscalls.Param) {
	m := t.readMessage(th)
	t.enc.Int(p.Type.Size(), t.readIOV(th, m.iov, m.count).total)
}

func msgRead(t *Tracer, th *thread, _ *syscalls.Param) {
	m := t.readMessage(th)
	t.gather(th, t.readIOV(th, m.iov, m.count), uint64(max(th.call.messageSize(&m), 0)))
}

func msgWritten(t *Tracer, th *thread, _ *syscalls.Param) {
	m := t.readMessage(th)
	v := t.readIOV(th, m.iov, m.count)
	n := th.call.messageSize(&m)
	if n <= 0 {
		n = int64(min(v.total, MaxSnaplen))
	}
	t.gather(th, v, uint64(n))
}

// address reads the socket address of a message or of an argument into the
// tracer's own buffer.
func (t *Tracer) address(th *thread, addr uint64, size uint32) []byte {
	if addr == 0 {
		return nil
	}
	buf := t.addr[:min(int(size), len(t.addr))]
	return buf[:th.proc.mem.read(buf, addr)]
}

// destination is address for one that the kernel reads.
func (t *Tracer) destination(th *thread, addr uint64, size uint32) []byte {
	a := t.address(th, addr, size)
	if addr != 0 && len(a) < min(int(size), len(t.addr)) && th.proc.mem.admits() {
		th.call.hidden = true
	}
	return a
}

// msgSendTuple is the way of a message that is sent.
func msgSendTuple(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	m := t.readMessage(th)
	if m.iov == 0 && m.name == 0 || c.ret < 0 {
		t.enc.Empty()
		return
	}
	t.packetTuple(th, int(int32(c.args[0])), t.destination(th, m.name, m.nameLen), outbound)
}

// msgRecvTuple is the way of a message that has come.
func msgRecvTuple(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret < 0 || c.spec.multiple() && c.ret == 0 {
		t.enc.Empty()
		return
	}
	m := t.readMessage(th)
	t.packetTuple(th, int(int32(c.args[0])), t.address(th, m.name, m.nameLen), inbound)
}

// sendTuple is the way of what sendto sends.
func sendTuple(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret < 0 {
		t.enc.Empty()
		return
	}
	t.packetTuple(th, int(int32(c.args[0])), t.destination(th, c.args[4], uint32(c.args[5])), outbound)
}

// recvTuple is the way of what recvfrom has got.
func recvTuple(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret < 0 {
		t.enc.Empty()
		return
	}
	var size [4]byte
	var from []byte
	if c.args[4] != 0 && th.proc.mem.full(size[:], c.args[5]) {
		from = t.address(th, c.args[4], binary.LittleEndian.Uint32(size[:]))
	}
	t.packetTuple(th, int(int32(c.args[0])), from, inbound)
}

// pairFD is descriptor A of the two that socketpair has written, -1 if it has
// failed.
func pairFD(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(8, uint64(int64(writtenFD(th, th.call.args[3], int(p.Source.A)))))
}

// pairID is what stands for end A of a pair of sockets: its inode number.
func pairID(t *Tracer, th *thread, p *syscalls.Param) {
	ino := uint64(0)
	if st := t.openedFile(th, writtenFD(th, th.call.args[3], int(p.Source.A))); st != nil {
		ino = st.Ino
	}
	t.enc.Int(8, ino)
}

// sockopt values that are not plain bytes, by option at level SOL_SOCKET.
const (
	optionBytes  = 0 // selectors of the DYN parameter
	optionErrno  = 1
	optionUint32 = 2
	optionUint64 = 3
	optionTime   = 4
)

// optionKind is the selector of an option's value.
func optionKind(level, option int32) uint8 {
	if level != unix.SOL_SOCKET {
		return optionBytes
	}
	switch option {
	case unix.SO_ERROR:
		return optionErrno
	case unix.SO_COOKIE:
		return optionUint64
	case unix.SO_RCVTIMEO_OLD, unix.SO_SNDTIMEO_OLD, unix.SO_RCVTIMEO_NEW, unix.SO_SNDTIMEO_NEW:
		return optionTime
	case unix.SO_DEBUG, unix.SO_REUSEADDR, unix.SO_TYPE, unix.SO_DONTROUTE, unix.SO_BROADCAST, unix.SO_SNDBUF,
		unix.SO_RCVBUF, unix.SO_SNDBUFFORCE, unix.SO_RCVBUFFORCE, unix.SO_KEEPALIVE, unix.SO_OOBINLINE,
		unix.SO_NO_CHECK, unix.SO_PRIORITY, unix.SO_BSDCOMPAT, unix.SO_REUSEPORT, unix.SO_PASSCRED,
		unix.SO_RCVLOWAT, unix.SO_SNDLOWAT, unix.SO_SECURITY_AUTHENTICATION,
		unix.SO_SECURITY_ENCRYPTION_TRANSPORT, unix.SO_SECURITY_ENCRYPTION_NETWORK, unix.SO_BINDTODEVICE,
		unix.SO_DETACH_FILTER, unix.SO_TIMESTAMP, unix.SO_ACCEPTCONN, unix.SO_PEERSEC, unix.SO_PASSSEC,
		unix.SO_TIMESTAMPNS, unix.SO_MARK, unix.SO_TIMESTAMPING, unix.SO_PROTOCOL, unix.SO_DOMAIN,
		unix.SO_RXQ_OVFL, unix.SO_WIFI_STATUS, unix.SO_PEEK_OFF, unix.SO_NOFCS, unix.SO_LOCK_FILTER,
		unix.SO_SELECT_ERR_QUEUE, unix.SO_BUSY_POLL, unix.SO_MAX_PACING_RATE, unix.SO_BPF_EXTENSIONS,
		unix.SO_INCOMING_CPU:
		return optionUint32
	}
	return optionBytes
}

// optionName is the translated option, which has a name at level SOL_SOCKET only.
func optionName(t *Tracer, th *thread, p *syscalls.Param) {
	v := uint64(0)
	if int32(th.call.args[1]) == unix.SOL_SOCKET {
		v = syscalls.TransSockoptOptname.Translate(abis[0].arch, th.call.args[2])
	}
	t.enc.Int(p.Type.Size(), v)
}

// optionValue is the value of a socket option: at argument A, of the size in
// argument B or, of getsockopt, behind that pointer.
func optionValue(t *Tracer, th *thread, p *syscalls.Param) {
	c, m := &th.call, &th.proc.mem
	addr, size := c.args[p.Source.A], uint32(c.args[p.Source.B])
	if c.spec.enter == enterGetsockopt {
		var b [4]byte
		m.full(b[:], c.args[p.Source.B])
		size = binary.LittleEndian.Uint32(b[:])
	}
	kind := optionKind(int32(c.args[1]), int32(c.args[2]))
	var b [16]byte
	t.enc.Open()
	t.enc.AppendInt(1, uint64(kind))
	switch kind {
	case optionBytes:
		if buf := t.enc.Reserve(min(int(size), t.snaplen(), t.enc.Room())); buf != nil {
			t.enc.Commit(m.read(buf, addr))
		}
	case optionErrno:
		m.full(b[:4], addr)
		t.enc.AppendInt(8, uint64(-int64(int32(binary.LittleEndian.Uint32(b[:])))))
	case optionUint32:
		m.full(b[:4], addr)
		t.enc.AppendInt(4, uint64(binary.LittleEndian.Uint32(b[:])))
	case optionUint64:
		m.full(b[:8], addr)
		t.enc.AppendInt(8, binary.LittleEndian.Uint64(b[:]))
	case optionTime:
		w := c.timeSize()
		m.full(b[:2*w], addr)
		t.enc.AppendInt(8, signedAs(b[:w])*1e9+signedAs(b[w:2*w])*1e3)
	}
	t.enc.Close()
}

const enterGetsockopt = 46
