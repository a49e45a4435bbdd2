package tracer

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Parts of include/uapi/linux/unix_diag.h and include/net/tcp_states.h.
const (
	diagShowNames = 1 | 2 // UDIAG_SHOW_NAME, UDIAG_SHOW_VFS
	diagName      = 0     // UNIX_DIAG_NAME
	diagFile      = 1     // UNIX_DIAG_VFS
	diagClosed    = 7     // TCP_CLOSE: of sockets of datagrams
)

// bound reports whether there is a unix socket to connect to that was bound to a name,
// and whose file has an inode number, of which the kernel tells 32 bits: the file may
// have another name by now, and the name be that of another file.
func (d *sockDiag) bound(name []byte, file uint32) (found bool) {
	if d.fd == 0 {
		d.open()
	}
	if d.fd < 0 {
		return false
	}
	var buf [8 << 10]byte // the kernel makes a part of its answer as large as this, at most
	put, req := binary.NativeEndian, buf[:diagRequest]
	msg := req[unix.SizeofNlMsghdr:]
	msg[0] = unix.AF_UNIX
	put.PutUint32(msg[4:], 1<<diagListening|1<<diagClosed)
	put.PutUint32(msg[12:], diagShowNames)
	if !d.send(req, unix.NLM_F_REQUEST|unix.NLM_F_DUMP) {
		return false
	}
	for { // to its end: what is left would be taken for an answer to the next request
		n, err := unix.Read(d.fd-1, buf[:])
		if err != nil {
			return found
		}
		for part := buf[:n]; len(part) >= unix.SizeofNlMsghdr; {
			size := int(put.Uint32(part))
			if put.Uint16(part[4:]) != diagByFamily || size < unix.SizeofNlMsghdr || size > len(part) {
				return found // NLMSG_DONE, or an error
			}
			one := part[:size]
			if f := diagAttribute(one, diagFile); len(f) >= 4 && put.Uint32(f) == file &&
				bytes.Equal(bytes.TrimRight(diagAttribute(one, diagName), "\x00"), name) {
				found = true
			}
			part = part[min((size+3)&^3, len(part)):]
		}
	}
}
