package event

import "encoding/binary"

// Received is a descriptor that a call has got from another process, as the tracer
// has found it at the end of the call. Ends and Proto are of sockets only.
type Received struct {
	FD          int32
	Dir         bool   // a directory
	Listens     bool   // a socket that others connect to
	Proto       uint8  // unix.IPPROTO_*, of a socket of the internet
	Link        []byte // the link of /proc/PID/fd: a path, or socket:[777] and the like
	Local, Peer []byte // addresses as the kernel has them; empty if there is none
}

// Bits of the flags of a descriptor.
const (
	receivedDir     = 1 << 0
	receivedListens = 1 << 1
)

// A descriptor begins with its number, flags, protocol, and the lengths of the two
// addresses and of the link, behind which these follow.
const receivedHeader = 4 + 1 + 1 + 1 + 1 + 2

// AppendTo appends the descriptor to a list as [Truth.Received] is one. Where that
// would be longer than limit, or a part of it is too long, dst is left as it is.
func (r *Received) AppendTo(dst []byte, limit int) []byte {
	size := receivedHeader + len(r.Local) + len(r.Peer) + len(r.Link)
	if len(r.Local) > 0xff || len(r.Peer) > 0xff || len(r.Link) > 0xffff || len(dst)+size > limit {
		return dst
	}
	flags := byte(0)
	if r.Dir {
		flags |= receivedDir
	}
	if r.Listens {
		flags |= receivedListens
	}
	dst = binary.NativeEndian.AppendUint32(dst, uint32(r.FD))
	dst = append(dst, flags, r.Proto, byte(len(r.Local)), byte(len(r.Peer)))
	dst = binary.NativeEndian.AppendUint16(dst, uint16(len(r.Link)))
	dst = append(dst, r.Local...)
	dst = append(dst, r.Peer...)
	return append(dst, r.Link...)
}

// NextReceived decodes the descriptor that a list begins with, borrowed, and returns
// what follows it. It returns false at the end, and where the list contradicts itself.
func NextReceived(list []byte) (r Received, rest []byte, ok bool) {
	if len(list) < receivedHeader {
		return r, nil, false
	}
	local, peer := int(list[6]), int(list[7])
	link := int(binary.NativeEndian.Uint16(list[8:]))
	values := list[receivedHeader:]
	if local+peer+link > len(values) {
		return r, nil, false
	}
	r.FD = int32(binary.NativeEndian.Uint32(list))
	r.Dir, r.Listens = list[4]&receivedDir != 0, list[4]&receivedListens != 0
	r.Proto = list[5]
	r.Local, values = values[:local:local], values[local:]
	r.Peer, values = values[:peer:peer], values[peer:]
	r.Link = values[:link:link]
	return r, values[link:], true
}
