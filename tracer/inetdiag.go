package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Layouts of include/uapi/linux/inet_diag.h, behind the header of the message.
const (
	inetRequest = unix.SizeofNlMsghdr + 8 + inetID
	inetID      = 48 // struct inet_diag_sockid
	inetMessage = unix.SizeofNlMsghdr + 4 + inetID + 20
)

// queueAt is queue for a socket of TCP that listens at an address, as the kernel
// has that.
func (d *sockDiag) queueAt(addr []byte, ino uint32) (waiting, limit uint32) {
	var buf [256]byte
	put, req := binary.NativeEndian, buf[:inetRequest]
	msg := req[unix.SizeofNlMsghdr:]
	msg[0], msg[1] = byte(family(addr)), unix.IPPROTO_TCP
	put.PutUint32(msg[4:], 1<<diagListening)
	id := msg[8:]
	switch family(addr) {
	case unix.AF_INET:
		copy(id[4:8], addr[4:8])
	case unix.AF_INET6:
		copy(id[4:20], addr[8:24])
	default:
		return 0, 0
	}
	copy(id[:2], addr[2:4])
	put.PutUint64(id[inetID-8:], ^uint64(0)) // no cookie
	n := d.ask(buf[:], inetRequest)
	if n < inetMessage {
		return 0, 0
	}
	// Another namespace may have a socket at the same address.
	answer := buf[unix.SizeofNlMsghdr+4+inetID:]
	if put.Uint32(answer[16:]) != ino {
		return 0, 0
	}
	return put.Uint32(answer[4:]), put.Uint32(answer[8:])
}
