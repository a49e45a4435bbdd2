package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// unixDiag asks the kernel, over a netlink socket, about unix sockets: nothing
// else tells of their accept queues. It knows those of the tracer's own network
// namespace, and of others nothing.
type unixDiag struct {
	fd int // one more than the descriptor; 0: not opened, -1: not to be had
}

// Layouts of include/uapi/linux/netlink.h and unix_diag.h.
const (
	diagByFamily  = 20 // SOCK_DIAG_BY_FAMILY
	diagShowQueue = 16 // UDIAG_SHOW_RQLEN
	diagQueue     = 4  // UNIX_DIAG_RQLEN
	diagListening = 10 // TCP_LISTEN
	diagRequest   = unix.SizeofNlMsghdr + 24
	diagMessage   = unix.SizeofNlMsghdr + 16 // where the attributes begin
)

// queue returns how many connections wait to be accepted by the listening
// socket with this inode, and how many may; 0, 0 if that cannot be known.
func (d *unixDiag) queue(ino uint32) (waiting, limit uint32) {
	if d.fd == 0 {
		d.open()
	}
	if d.fd < 0 {
		return 0, 0
	}
	var buf [256]byte
	put, req := binary.NativeEndian, buf[:diagRequest]
	put.PutUint32(req, diagRequest)
	put.PutUint16(req[4:], diagByFamily)
	put.PutUint16(req[6:], unix.NLM_F_REQUEST)
	msg := req[unix.SizeofNlMsghdr:]
	msg[0] = unix.AF_UNIX
	put.PutUint32(msg[4:], 1<<diagListening)
	put.PutUint32(msg[8:], ino)
	put.PutUint32(msg[12:], diagShowQueue)
	put.PutUint64(msg[16:], ^uint64(0)) // no cookie
	if _, err := unix.Write(d.fd-1, req); err != nil {
		return 0, 0
	}
	// The answer is there when the request has been sent.
	n, err := unix.Read(d.fd-1, buf[:])
	if err != nil || n < diagMessage || put.Uint16(buf[4:]) != diagByFamily {
		return 0, 0
	}
	for attr := buf[diagMessage:n]; len(attr) >= unix.SizeofNlAttr; {
		size := int(put.Uint16(attr))
		if size < unix.SizeofNlAttr || size > len(attr) {
			break
		}
		if put.Uint16(attr[2:]) == diagQueue && size >= unix.SizeofNlAttr+8 {
			return put.Uint32(attr[4:]), put.Uint32(attr[8:])
		}
		attr = attr[min((size+3)&^3, len(attr)):]
	}
	return 0, 0
}

func (d *unixDiag) open() {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		d.fd = -1
		return
	}
	d.fd = fd + 1
}
