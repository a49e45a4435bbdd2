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
	if q := diagAttribute(buf[:n], diagQueue); len(q) >= 8 {
		return put.Uint32(q), put.Uint32(q[4:])
	}
	return 0, 0
}

// diagAttribute is the value of an attribute of an answer about a unix socket, nil if
// it has none.
func diagAttribute(answer []byte, attribute uint16) []byte {
	put := binary.NativeEndian
	for attr := answer[min(diagMessage, len(answer)):]; len(attr) >= unix.SizeofNlAttr; {
		size := int(put.Uint16(attr))
		if size < unix.SizeofNlAttr || size > len(attr) {
			break
		}
		if put.Uint16(attr[2:]) == attribute {
			return attr[unix.SizeofNlAttr:size]
		}
		attr = attr[min((size+3)&^3, len(attr)):]
	}
	return nil
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
	if !d.send(buf[:size], unix.NLM_F_REQUEST) {
		return 0
	}
	// The answer is there when the request has been sent.
	n, err := unix.Read(d.fd-1, buf)
	if err != nil || n < unix.SizeofNlMsghdr || put.Uint16(buf[4:]) != diagByFamily {
		return 0
	}
	return n
}

// send sends a request, whose header is still missing.
func (d *sockDiag) send(request []byte, flags uint16) bool {
	put := binary.NativeEndian
	put.PutUint32(request, uint32(len(request)))
	put.PutUint16(request[4:], diagByFamily)
	put.PutUint16(request[6:], flags)
	_, err := unix.Write(d.fd-1, request)
	return err == nil
}

func (d *sockDiag) open() {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		d.fd = -1
		return
	}
	d.fd = fd + 1
}
