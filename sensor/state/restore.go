package state

import (
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
)

// Restore takes what a capture says besides events: threads, descriptors, users
// and groups. A section makes the table forget what it has.
func (t *Table) Restore(e capture.Entry) {
	switch e := e.(type) {
	case *capture.Section:
		t.restart()
	case *capture.Machine:
		t.machine = *e
	case *capture.Process:
		t.restoreThread(e)
	case *capture.FD:
		t.restoreFD(e)
	case *capture.User:
		t.users.add(e.UID, e.Name)
		t.homes.add(e.UID, home{e.Home, e.Shell})
	case *capture.Group:
		t.groups.add(e.GID, e.Name)
	case *capture.Interface:
		t.interfaces.add(e)
	}
}

// restored is what has to wait until all threads are known.
type restored struct {
	flags       map[int64]uint32 // of the threads that share with others
	listening   map[uint16]bool  // ports of sockets
	connections []connected      // of IPv4
}

type connected struct {
	files *files
	fd    int64
}

// restart forgets everything but the counters.
func (t *Table) restart() {
	t.closed, t.closedIn, t.ended, t.taker = -1, nil, nil, 0
	clear(t.threads)
	clear(t.children)
	t.recent = [len(t.recent)]*Thread{}
	t.users, t.groups, t.homes, t.interfaces = names{}, names{}, homes{}, nil
	t.stats.Descriptors, t.stats.Text, t.stats.Programs = 0, 0, 0
	t.departed = departed{}
	t.cur = t.reset(&t.spare, -1)
	t.restored = &restored{flags: map[int64]uint32{}, listening: map[uint16]bool{}}
}

func (t *Table) restoreThread(p *capture.Process) {
	if t.threads[p.TID] != nil {
		t.drop(t.threads[p.TID])
	}
	th := t.add(p.TID)
	if th == &t.spare {
		t.stats.ThreadsLost++
		return
	}
	th.PID, th.UID, th.Comm = p.PID, p.UID, p.Comm
	t.childOf(th, p.PTID)
	t.superuser(p.UID)
	th.dir.path, th.origin = asDir(string(event.JoinPath(nil, 0, []byte(p.Cwd), t.cfg.Style))), fromList
	th.GID, th.LoginUID, th.TTY = p.GID, p.LoginUID, p.TTY
	th.VTID, th.VPID, th.VPGID = max(p.VTID, 0), max(p.VPID, 0), p.VPGID
	if t.newest() && p.VTID <= 0 { // of a list that is too old to have them
		th.VTID, th.VPID = p.TID, p.PID
	}
	th.Program, th.About = listed(p), about(p)
	t.account(th)
	if th.PID == th.TID {
		th.leader = th
	} else {
		t.restored.flags[th.TID] = p.Flags
	}
}

func (t *Table) restoreFD(fd *capture.FD) {
	th := t.threads[fd.TID]
	if th == nil || t.restored == nil || fd.Type == capture.FDUnknown { // which sysdig ignores
		return
	}
	d := kind(letterOf(fd.Type))
	d.Name = fd.Name
	d.file = &file{raw: fd.Name, flags: fd.Flags, dev: fd.Dev, ino: fd.Ino}
	switch fd.Type {
	case capture.FDIPv4, capture.FDIPv6:
		d.restoreConnection(fd)
	case capture.FDIPv4Listen, capture.FDIPv6Listen:
		own := event.SockAddr{Family: familyOf(fd.Source), IP: fd.Source}
		d.Name = string(own.AppendTo(nil))
		d.restoreEnds(fd, &sock{listens: true})
		t.restored.listening[fd.Source.Port()] = true
	case capture.FDUnix:
		s := sock{role: roleServer}
		if fd.Name == "" {
			s.role = roleClient
		}
		s.putNodes(&event.SockTuple{SourceNode: fd.Sockets[0], DestNode: fd.Sockets[1]})
		d.know(&s)
	}
	if d.Letter == '4' && !d.sock.listens {
		t.restored.connections = append(t.restored.connections, connected{th.files, fd.Number})
	}
	t.set(th.files, fd.Number, d)
}

// restoreConnection names a descriptor by its two ends.
func (d *descriptor) restoreConnection(fd *capture.FD) {
	ends := event.SockTuple{Family: familyOf(fd.Source), Source: fd.Source, Dest: fd.Dest}
	if ends.Family == unix.AF_INET6 && !(mapped(fd.Source.Addr()) && mapped(fd.Dest.Addr())) {
		d.Letter = '6'
	} else {
		d.Letter = '4'
	}
	d.Name = string(ends.AppendTo(nil))
	d.restoreEnds(fd, &sock{})
}

func (d *descriptor) restoreEnds(fd *capture.FD, s *sock) {
	p, _ := s.placeOf(d.Letter)
	s.ends.putSource(p, fd.Source)
	if !s.listens {
		s.ends.putTarget(p, fd.Dest)
	}
	s.ends[p.l4] = fd.L4
	d.know(s)
}

func familyOf(a netip.AddrPort) uint8 {
	if a.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// settle brings threads and their processes together when the lists are
// complete.
func (t *Table) settle() {
	for _, tid := range slices.Sorted(maps.Keys(t.restored.flags)) { // the same each time, for lists that make no sense
		flags, th := t.restored.flags[tid], t.threads[tid]
		leader := t.threads[th.PID]
		if leader == nil || leader == th {
			continue
		}
		th.leader = leader
		leader.members++
		if flags&cloneFiles != 0 {
			t.release(th.files)
			th.files = leader.files.retain()
		}
		// Lists of libscap never say that threads share the directory: libsinsp takes
		// it for granted.
		th.dir = leader.dir
	}
	for _, th := range t.threads {
		th.orphan = t.parentless(th)
	}
	for _, c := range t.restored.connections {
		d, ok := c.files.fds[c.fd]
		if !ok || d.Letter != '4' || d.sock.listens {
			continue
		}
		s := d.socket()
		s.role = roleClient
		if t.restored.listening[s.ends.port(connected4.sport)] {
			// The list has the own end first; libsinsp puts the client there.
			s.ends.swap(connected4)
			s.role = roleServer
		}
		t.buf = s.ends.appendPorts(t.buf[:0], connected4)
		d.call(t.buf)
		d.know(&s)
		t.set(c.files, c.fd, d)
	}
	t.restored = nil
}

// letterOf is how a descriptor of a list is shown.
func letterOf(typ capture.FDType) byte {
	switch typ {
	case capture.FDFile, capture.FDFile2:
		return 'f'
	case capture.FDDirectory:
		return 'd'
	case capture.FDIPv4, capture.FDIPv4Listen:
		return '4'
	case capture.FDIPv6, capture.FDIPv6Listen:
		return '6'
	case capture.FDFifo:
		return 'p'
	case capture.FDUnix:
		return 'u'
	case capture.FDEvent:
		return 'e'
	case capture.FDUnsupported:
		return 'X'
	case capture.FDSignal:
		return 's'
	case capture.FDEventPoll:
		return 'l'
	case capture.FDInotify:
		return 'i'
	case capture.FDTimer:
		return 't'
	case capture.FDNetlink:
		return 'n'
	case capture.FDBPF:
		return 'b'
	case capture.FDUserFault:
		return event.UserFault
	case capture.FDIOUring:
		return 'r'
	case capture.FDMem:
		return 'm'
	case capture.FDPID:
		return 'P'
	}
	return 'o'
}
