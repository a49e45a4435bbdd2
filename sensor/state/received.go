package state

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/sensor/capture"
)

// Descriptors come from other processes, too: in the ancillary data of a message,
// or by pidfd_getfd. What they are is told by the truth behind the record, see
// [event.Received], in captures too, where sysdig knows nothing of them. Where there
// is none /proc is asked, which is too late for who has ended or has gone on.

// rights appends the descriptors that came with the ancillary data of a message.
func rights(dst []int64, control []byte) []int64 {
	var room [event.MaxRights]int32
	for _, header := range [...]int{event.ControlHeader, event.NarrowControlHeader} {
		if fds := event.AppendRights(room[:0], control, header); len(fds) > 0 {
			for _, fd := range fds {
				dst = append(dst, int64(fd))
			}
			break
		}
	}
	return dst
}

// received names the descriptors that came with a message.
func (t *Table) received(c *call) {
	control := c.exit.bytes(fieldMsgControl)
	truth, _ := c.exit.Truth()
	if len(control) == 0 || t.cfg.Sysdig && len(truth.Received) == 0 {
		return
	}
	var room [event.MaxRights]int64
	if fds := rights(room[:0], control); len(fds) > 0 {
		t.learn(c, fds)
	}
}

// learn names descriptors that a call has got: those that its truth tells of, and of
// the others what /proc says.
func (t *Table) learn(c *call, fds []int64) {
	th := c.thread
	truth, _ := c.exit.Truth()
	var room [event.MaxRights]int64
	others := append(room[:0], fds...)
	connected := socketFDs{} // who has called whom is not told
	for r, rest, ok := event.NextReceived(truth.Received); ok; r, rest, ok = event.NextReceived(rest) {
		i := slices.Index(others, int64(r.FD))
		if i < 0 {
			continue // the record does not tell of it, or twice
		}
		fd := others[i]
		others = slices.Delete(others, i, i+1)
		link := procfs.FD{Number: int(r.FD), Link: string(r.Link), Dir: r.Dir}
		d, isConnected := t.told(&r, &link)
		t.set(th.files, fd, d)
		if isConnected {
			connected.add(link)
		}
	}
	if !t.cfg.Sysdig {
		t.lookUp(th, others)
	}
	if len(connected) > 0 && t.same(th) {
		t.nameSockets(th, connected)
	}
}

// told is a descriptor as the truth tells of it, and whether it is one end of a
// connection: that of the client as long as nobody says otherwise.
func (t *Table) told(r *event.Received, link *procfs.FD) (d descriptor, connected bool) {
	_, isSocket := link.Socket()
	s := procfs.Socket{Proto: r.Proto, Listens: r.Listens}
	own, ok := event.ParseSockAddr(r.Local)
	if !isSocket || !ok {
		return linked(*link), false
	}
	s.Family, s.Local, s.Path = own.Family, own.IP, own.Path
	if s.Family != unix.AF_INET && s.Family != unix.AF_INET6 {
		return t.listedSocket(&s, false), false
	}
	s.Remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	if peer, ok := event.ParseSockAddr(r.Peer); ok && peer.Family == s.Family {
		s.Remote = peer.IP
	}
	return t.listedSocket(&s, false), !nowhere(s.Remote)
}

// taken names what pidfd_getfd has made: as the other process has it, if that is
// known.
func (t *Table) taken(c *call) {
	pidfd, _ := c.exit.int(fieldPidFD)
	fd, ok := c.exit.int(fieldTargetFD)
	pid, named := strings.CutPrefix(c.thread.files.fds[pidfd].Name, "/proc/")
	n, err := strconv.ParseInt(pid, 10, 64)
	// In another pid namespace the number is not one of ours.
	if ok && named && err == nil && c.thread.VTID == c.thread.TID {
		if th := t.threads[n]; th != nil {
			if d, ok := th.files.fds[fd]; ok {
				d.cloexec = true
				t.set(c.thread.files, c.res, d)
				return
			}
		}
	}
	t.learn(c, []int64{c.res})
	t.onExec(c.thread.files, c.res, true)
}

// lookUp asks /proc for descriptors that a thread has now. What they were before
// they are no more.
func (t *Table) lookUp(th *Thread, fds []int64) {
	for _, fd := range fds {
		t.unset(th.files, fd)
	}
	if len(fds) == 0 || !t.same(th) {
		return
	}
	sockets := socketFDs{}
	for _, fd := range fds {
		link, ok := procfs.ReadFD(t.proc(), int(th.TID), int(fd))
		if !ok {
			continue
		}
		t.set(th.files, fd, linked(link))
		sockets.add(link)
	}
	t.nameSockets(th, sockets)
}

// socketFDs are descriptors by the inodes of the sockets that they are.
type socketFDs map[uint64][]int64

func (s socketFDs) add(fd procfs.FD) {
	if ino, ok := fd.Socket(); ok {
		s[ino] = append(s[ino], int64(fd.Number))
	}
}

// nameSockets gives descriptors the ends of their sockets.
func (t *Table) nameSockets(th *Thread, sockets socketFDs) {
	if len(sockets) == 0 {
		return
	}
	listening := map[uint16]bool{} // ports; the kernel lists who listens first
	procfs.Sockets(t.proc(), int(th.TID), func(s *procfs.Socket) bool {
		if s.Listens && s.Family != unix.AF_UNIX {
			listening[s.Local.Port()] = true
		}
		fds := sockets[s.Ino]
		if len(fds) == 0 || s.Family == unix.AF_UNIX && !procfs.MayBeUnix(t.proc(), int(th.TID), int(fds[0])) {
			return true
		}
		for _, fd := range fds {
			d := t.listedSocket(s, listening[s.Local.Port()])
			d.cloexec = th.files.fds[fd].cloexec
			t.set(th.files, fd, d)
		}
		delete(sockets, s.Ino)
		return len(sockets) > 0
	})
}

// listedSocket is a socket as /proc lists it.
func (t *Table) listedSocket(s *procfs.Socket, served bool) descriptor {
	d := newSocket(s.Family, l4Of(s.Proto))
	switch {
	case s.Family == unix.AF_UNIX:
		own := event.SockAddr{Family: unix.AF_UNIX, Path: s.Path}
		t.buf = own.AppendTo(t.buf[:0])
		d.call(t.buf)
	case s.Family != unix.AF_INET && s.Family != unix.AF_INET6:
	case !nowhere(s.Remote):
		tuple := event.SockTuple{Family: s.Family, Source: s.Local, Dest: s.Remote}
		role := roleClient
		if served {
			tuple.Source, tuple.Dest, role = s.Remote, s.Local, roleServer
		}
		t.between(&d, sock{role: role, connected: true}, &tuple, l4Of(s.Proto))
	case s.Local.Port() != 0:
		own := event.SockAddr{Family: s.Family, IP: s.Local}
		t.hasBound(&d, &own)
	}
	return d
}

// l4Of is the protocol of an internet socket by its number.
func l4Of(proto uint8) uint8 {
	switch proto {
	case unix.IPPROTO_TCP:
		return capture.L4TCP
	case unix.IPPROTO_UDP:
		return capture.L4UDP
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		return capture.L4ICMP
	case unix.IPPROTO_RAW:
		return capture.L4Raw
	}
	return capture.L4Unknown
}
