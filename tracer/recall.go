package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
)

// Where a socket may not be copied, /proc tells which one a descriptor is, and
// /proc/PID/net both ends of most. That is read once for a connection: what was
// found is kept by the number of the socket's inode, of which the kernel does not
// use one twice (fs/inode.c, get_next_ino) before 2^32 others.

// maxRecalled bounds the sockets that are kept: 1 MiB.
const maxRecalled = 4096

// recalled is a socket that is kept.
type recalled struct {
	buf         [2][unix.SizeofSockaddrAny]byte
	local, peer int // bytes of buf
	packets     bool
	raw         bool
	proto       uint8
	listens     bool
	once        bool // for one call
	assumed     bool // as in endpoints
}

// recall fills e with what /proc tells of descriptor fd of th, or what was kept of
// it. It returns false if the descriptor is none, or not a socket.
func (e *endpoints) recall(th *thread, fd int) bool {
	e.forget()
	ino, errno := socketOf(th.tid, fd)
	if errno != 0 {
		return errno != unix.ENOENT && errno != unix.ENOTSOCK
	}
	e.ino = ino
	s, keeps := e.kept[ino], th.proc.sockets.refused
	if s == nil || !keeps {
		if s = search(th.tid, fd, ino); s == nil {
			return true
		}
		if keeps { // else nobody would notice that it has other ends now
			e.keep(ino, s)
		}
	}
	if s.once {
		delete(e.kept, ino)
	}
	e.buf, e.packets, e.raw, e.proto, e.listens, e.assumed, e.listed = s.buf, s.packets, s.raw, s.proto, s.listens, s.assumed, true
	if s.local > 0 {
		e.local = e.buf[0][:s.local]
	}
	if s.peer > 0 {
		e.peer = e.buf[1][:s.peer]
	}
	return true
}

// keep keeps a socket whose ends will stay.
func (e *endpoints) keep(ino uint64, s *recalled) {
	if s.packets && s.peer == 0 || s.local == 0 {
		return // it gets an address when it is used, and changes it
	}
	if e.kept == nil || len(e.kept) >= maxRecalled {
		e.kept = map[uint64]*recalled{}
	}
	e.kept[ino] = s
}

// connected is for a connect: the socket has other ends now. Of a unix socket
// only the address of the call tells of the peer.
func (e *endpoints) connected(th *thread, fd int, addr []byte) {
	if !th.proc.sockets.refused {
		return
	}
	ino, errno := socketOf(th.tid, fd)
	if errno != 0 {
		return
	}
	was := e.kept[ino]
	delete(e.kept, ino)
	switch family(addr) {
	case unix.AF_UNSPEC:
		// Without a peer and a port of its own it is not in the lists.
		if was != nil && search(th.tid, fd, ino) == nil {
			clear(was.buf[0][2:])
			was.peer, was.once = 0, true
			e.kept[ino] = was
		}
	case unix.AF_UNIX:
		if s := search(th.tid, fd, ino); s != nil && s.local > 0 {
			s.peer, s.assumed = copy(s.buf[1][:], addr), true
			e.keep(ino, s)
		}
	}
}

// recallQueue fills q for a socket that cannot be copied because of err.
func (t *Tracer) recallQueue(th *thread, fd int, q *queue, err error) {
	// The tuple of the call has been told already.
	e := &t.ends
	switch {
	case errors.Is(err, unix.EBADF) || !e.recall(th, fd):
	case family(e.local) == unix.AF_UNIX:
		q.len, q.max = t.diag.queue(uint32(e.ino))
	default:
		q.len, q.max = t.diag.queueAt(e.local, uint32(e.ino))
	}
}

// socketOf is the number of the socket that a descriptor is. The error is ENOENT
// if there is no such descriptor, ENOTSOCK if it is no socket.
func socketOf(tid, fd int) (uint64, unix.Errno) {
	var path, link [64]byte
	name := append(appendProc(path[:0], tid), "/fd/"...)
	n, errno := sys.ReadLink(append(strconv.AppendInt(name, int64(fd), 10), 0), link[:])
	if errno != 0 {
		return 0, errno
	}
	digits, ok := bytes.CutPrefix(link[:n], []byte("socket:["))
	if !ok {
		return 0, unix.ENOTSOCK
	}
	return decimal(bytes.TrimSuffix(digits, []byte("]"))), 0
}

// search looks for the socket of a descriptor in the network namespace of a thread. Of two
// lines for a unix socket a name of another one has made one: which, nobody can tell, and so
// it has no name then.
func search(tid, fd int, ino uint64) (found *recalled) {
	root, _ := procfs.Root()
	procfs.Sockets(root, tid, func(s *procfs.Socket) bool {
		if found != nil && s.Family != unix.AF_UNIX {
			return false
		}
		if s.Ino != ino || s.Family == unix.AF_UNIX && !procfs.MayBeUnix(root, tid, fd) {
			return true
		}
		if found != nil {
			found.local, found.listens = 0, false
			return false
		}
		raw := s.Type == unix.SOCK_RAW
		found = &recalled{packets: s.Type == unix.SOCK_DGRAM || raw, raw: raw, proto: s.Proto, listens: s.Listens}
		switch s.Family {
		case unix.AF_UNIX:
			found.local = putName(&found.buf[0], s.Path)
		case unix.AF_INET, unix.AF_INET6:
			found.local = putAddr(&found.buf[0], s.Local)
			// A peer that is no more may leave its address there.
			if s.Remote.Port() != 0 || s.Type == unix.SOCK_RAW && !s.Remote.Addr().IsUnspecified() {
				found.peer = putAddr(&found.buf[1], s.Remote)
			}
		}
		return s.Family == unix.AF_UNIX
	})
	return found
}

// putName makes a unix address of the name that /proc has, and returns its size. An
// abstract name has @ there for each NUL, of which the first is put back, and those that
// fill the end are left out. A path that begins with @ looks the same.
func putName(buf *[unix.SizeofSockaddrAny]byte, name []byte) int {
	binary.NativeEndian.PutUint16(buf[:], unix.AF_UNIX)
	if rest, ok := bytes.CutPrefix(name, []byte("@")); ok {
		return 3 + copy(buf[3:], bytes.TrimRight(rest, "@"))
	}
	return 2 + copy(buf[2:], name)
}

// putAddr makes a socket address of the kernel's and returns its size.
func putAddr(buf *[unix.SizeofSockaddrAny]byte, a netip.AddrPort) int {
	binary.BigEndian.PutUint16(buf[2:], a.Port())
	if a.Addr().Is4() {
		binary.NativeEndian.PutUint16(buf[:], unix.AF_INET)
		copy(buf[4:], a.Addr().AsSlice())
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(buf[:], unix.AF_INET6)
	copy(buf[8:], a.Addr().AsSlice())
	return unix.SizeofSockaddrInet6
}
