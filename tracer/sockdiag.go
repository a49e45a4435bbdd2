package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// sockDiag asks the kernel, over a netlink socket, about the accept queues of
// sockets: nothing else tells of those of unix sockets, nor of others that may
// not be copied. It knows those of the tracer's own network namespace, and of
// others nothing.
type sockDiag struct {
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
func (d *sockDiag) queue(ino uint32) (waiting, limit uint32) {
	var buf [256]byte
	put, req := binary.NativeEndian, buf[:diagRequest]
	msg := req[unix.SizeofNlMsghdr:]
	msg[0] = unix.AF_UNIX
	put.PutUint32(msg[4:], 1<<diagListening)
	put.PutUint32(msg[8:], ino)
	put.PutUint32(msg[12:], diagShowQueue)
	put.PutUint64(msg[16:], ^uint64(0)) // no cookie
	n := d.ask(buf[:], diagRequest)
	if n < diagMessage {
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

// ask sends the request of that size in buf, whose header is still missing, and
// puts the answer in its place. It returns the size of that, 0 if there is none.
func (d *sockDiag) ask(buf []byte, size int) int {
	if d.fd == 0 {
		d.open()
	}
	if d.fd < 0 {
		return 0
	}
	put := binary.NativeEndian
	put.PutUint32(buf, uint32(size))
	put.PutUint16(buf[4:], diagByFamily)
	put.PutUint16(buf[6:], unix.NLM_F_REQUEST)
	if _, err := unix.Write(d.fd-1, buf[:size]); err != nil {
		return 0
	}
	// The answer is there when the request has been sent.
	n, err := unix.Read(d.fd-1, buf)
	if err != nil || n < unix.SizeofNlMsghdr || put.Uint16(buf[4:]) != diagByFamily {
		return 0
	}
	return n
}

func (d *sockDiag) open() {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		d.fd = -1
		return
	}
	d.fd = fd + 1
}
