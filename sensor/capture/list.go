package capture

import (
	"bytes"
	"errors"
	"net/netip"
)

// list reads the payload of a block that is no event, piece by piece. The first
// error stays; what is read after it is 0.
type list struct {
	in    *input
	order order
	left  int64 // bytes of the payload that were not read
	floor int64 // how many of them are behind the current entry
	err   error
}

// Why a block cannot be read.
var (
	errEntry  = errors.New("an entry is longer than its length says")
	errString = errors.New("a name is too long")
	errKind   = errors.New("an entry of an unknown kind")
)

// more reports whether there is one more entry: up to three bytes are padding.
func (l *list) more() bool { return l.err == nil && l.left >= 4 }

// begin starts an entry with n bytes from here on, end skips what it had more
// than was asked for.
func (l *list) begin(n int64) {
	if l.err == nil && (n < 0 || n > l.left) {
		l.err = errEntry
	}
	l.floor = max(0, l.left-n)
}

func (l *list) end() {
	l.skip(l.left - l.floor)
	l.floor = 0
}

// rest is how many bytes the entry has left.
func (l *list) rest() int64 {
	if l.err != nil {
		return 0
	}
	return l.left - l.floor
}

func (l *list) skip(n int64) {
	for n > 0 && l.err == nil {
		l.take(int(min(n, 1<<12)))
		n -= 1 << 12
	}
}

// zeros stand for what cannot be read.
var zeros [180]byte

// take returns the next n bytes of the entry, borrowed.
func (l *list) take(n int) []byte {
	if l.err == nil && int64(n) > l.rest() {
		l.err = errEntry
	}
	if l.err == nil {
		b, err := l.in.wait(n)
		if l.err = err; err == nil {
			l.in.drop(n)
			l.left -= int64(n)
			return b
		}
	}
	return zeros[:min(n, len(zeros))]
}

func (l *list) u8() uint8   { return l.take(1)[0] }
func (l *list) u16() uint16 { return l.order.u16(l.take(2)) }
func (l *list) u32() uint32 { return l.order.u32(l.take(4)) }
func (l *list) u64() uint64 { return l.order.u64(l.take(8)) }
func (l *list) i64() int64  { return int64(l.u64()) }

// maxName bounds paths and names, as libscap does.
const maxName = 1024

// name reads a length and so many bytes, text longer ones.
func (l *list) name() string {
	n := int(l.u16())
	if n > maxName && l.err == nil {
		l.err = errString
	}
	return l.bytes(n)
}

func (l *list) text() string { return l.bytes(int(l.u16())) }

func (l *list) bytes(n int) string {
	b := l.take(n)
	if l.err != nil {
		return ""
	}
	return string(b)
}

func (l *list) addr4() netip.Addr { return netip.AddrFrom4([4]byte(l.take(4))) }
func (l *list) addr6() netip.Addr { return netip.AddrFrom16([16]byte(l.take(16))) }

func (l *list) machine() *Machine {
	m := &Machine{CPUs: l.u32(), Memory: l.u64(), MaxPID: l.u64()}
	host := l.take(128)
	if i := bytes.IndexByte(host, 0); i >= 0 {
		host = host[:i]
	}
	m.Host = string(host)
	for _, to := range [...]*uint64{&m.Boot, &m.More[0], &m.More[1], &m.More[2]} {
		if l.rest() >= 8 {
			*to = l.u64()
		}
	}
	return m
}

// Kinds of entries of users and of interfaces.
const (
	kindUser  = 0
	kindGroup = 1

	kindIPv4        = 1
	kindIPv6        = 2
	kindIPv4NoSpeed = 3
	kindIPv6NoSpeed = 4
)

func (l *list) user(counted bool) Entry {
	if counted {
		l.begin(int64(l.u32()) - 4)
		defer l.end()
	}
	switch l.u8() {
	case kindUser:
		return &User{UID: l.u32(), GID: l.u32(), Name: l.name(), Home: l.name(), Shell: l.name()}
	default: // as libscap: all others are groups
		return &Group{GID: l.u32(), Name: l.name()}
	}
}

func (l *list) network(counted bool) Entry {
	if counted {
		l.begin(int64(l.u32()))
		defer l.end()
	}
	kind, n := l.u16(), int(l.u16())
	if n > maxName && l.err == nil {
		l.err = errString
	}
	i := &Interface{}
	addr := l.addr4
	switch kind {
	case kindIPv4, kindIPv4NoSpeed:
	case kindIPv6, kindIPv6NoSpeed:
		addr = l.addr6
	default:
		if l.err == nil {
			l.err = errKind
		}
	}
	i.Addr, i.Mask, i.Broadcast = addr(), addr(), addr()
	if kind == kindIPv4 || kind == kindIPv6 {
		i.Speed = l.u64()
	}
	i.Name = l.bytes(n)
	return i
}
