package state

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// Snapshot looks all threads up that /proc has and the table does not, as of
// before the event v: what it tells of, a new thread, and that thread's children
// are left out.
func (t *Table) Snapshot(v *event.View) {
	if t.cfg.Root == "" {
		return
	}
	for _, pid := range numbered(t.proc()) {
		for _, tid := range numbered(filepath.Join(t.proc(), strconv.FormatInt(pid, 10), "task")) {
			if t.threads[tid] == nil {
				t.find(tid)
			}
			if th := t.threads[tid]; th != nil {
				th.origin = fromList
			}
		}
	}
	born := half{v, &shapes[v.Type()]}
	if res, ok := born.Int(0); ok && res == 0 && born.rule == ruleClone && !syscalls.IsEnter(v.Type()) {
		var family []*Thread // whole, before one that others descend by is gone
		for _, th := range t.threads {
			if t.descends(th, v.TID()) {
				family = append(family, th)
			}
		}
		for _, th := range family {
			t.drop(th)
		}
	}
}

// maxAncestors bounds a walk through parents, which may be a circle.
const maxAncestors = 1 << 10

// descends reports whether a thread is tid or belongs to a descendant of it.
func (t *Table) descends(th *Thread, tid int64) bool {
	for range maxAncestors {
		switch {
		case th == nil:
			return false
		case th.TID == tid || th.PID == tid:
			return true
		}
		th = t.threads[th.PTID]
	}
	return false
}

// numbered are the entries of a directory whose names are numbers.
func numbered(dir string) []int64 {
	entries, _ := os.ReadDir(dir) // without it there are none
	var numbers []int64
	for _, e := range entries {
		if n, err := strconv.ParseInt(e.Name(), 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Dump tells what the table holds, for a capture that begins with the next
// event.
func (t *Table) Dump(add func(capture.Entry)) {
	if t.restored != nil {
		t.settle()
	}
	t.finish()
	add(&t.machine)
	for i := range t.interfaces {
		add(&t.interfaces[i])
	}
	for uid, name := range t.users {
		add(&capture.User{UID: uid, Name: name, Home: t.homes[uid].dir, Shell: t.homes[uid].shell})
	}
	for gid, name := range t.groups {
		add(&capture.Group{GID: gid, Name: name})
	}
	for _, th := range t.threads {
		add(th.process())
	}
	listening := t.listening()
	for _, th := range t.threads {
		if th.leader != nil && th.leader != th && th.leader.files == th.files {
			continue // it says that it shares
		}
		for fd, d := range th.files.fds {
			add(d.entry(th.TID, fd, listening))
		}
	}
}

func (th *Thread) process() *capture.Process {
	p := &capture.Process{
		TID: th.TID, PID: th.PID, PTID: th.PTID, VPGID: th.VPGID, VTID: th.VTID, VPID: th.VPID,
		Comm: th.Comm, Cwd: th.dir.path, Root: "/",
		UID: th.UID, GID: th.GID, LoginUID: th.LoginUID, TTY: th.TTY,
	}
	th.Program.describe(p)
	th.describe(p)
	if l := th.leader; l != nil && l != th {
		p.Flags = cloneThread
		if l.files == th.files {
			p.Flags |= cloneFiles
		}
		if l.dir == th.dir {
			p.Flags |= cloneFS
		}
	}
	return p
}

// letterTypes are the kinds of descriptors that have a name only.
var letterTypes = map[byte]capture.FDType{
	'f': capture.FDFile, 'd': capture.FDDirectory, 'p': capture.FDFifo, 'u': capture.FDUnix,
	'e': capture.FDEvent, 's': capture.FDSignal, 'l': capture.FDEventPoll, 'i': capture.FDInotify,
	't': capture.FDTimer, 'n': capture.FDNetlink, 'b': capture.FDBPF, 'r': capture.FDIOUring,
	'm': capture.FDMem, 'P': capture.FDPID, event.UserFault: capture.FDUserFault,
}

func (d *descriptor) entry(tid, number int64, listening map[uint16]bool) *capture.FD {
	fd := &capture.FD{TID: tid, Number: number, Type: capture.FDUnsupported, Name: d.Name}
	if typ, ok := letterTypes[d.Letter]; ok {
		fd.Type = typ
	}
	if f := d.file; f != nil {
		fd.Ino = f.ino
		if fd.Type == capture.FDFile {
			fd.Type, fd.Flags, fd.Dev = capture.FDFile2, f.flags, f.dev
		}
	}
	switch {
	case d.sock == nil:
	case d.Letter == 'u':
		fd.Sockets = [2]uint64{d.sock.ends.node(0), d.sock.ends.node(8)}
	default:
		d.sock.entry(d.Letter, fd, listening)
	}
	return fd
}

// entry makes fd an internet socket. Readers turn a connection around whose
// source is a port that is listened on: what they have turned should be as it
// is here.
func (s *sock) entry(letter byte, fd *capture.FD, listening map[uint16]bool) {
	p, ok := s.placeOf(letter)
	if !ok {
		return
	}
	fd.L4, fd.Source = s.ends[p.l4], s.ends.source(p)
	switch {
	case s.listens && letter == '4':
		fd.Type = capture.FDIPv4Listen
	case s.listens:
		fd.Type = capture.FDIPv6Listen
	case letter == '6':
		fd.Type, fd.Dest = capture.FDIPv6, s.ends.target(p)
	default:
		fd.Type, fd.Dest = capture.FDIPv4, s.ends.target(p)
		if s.role == roleServer && listening[fd.Dest.Port()] || s.role != roleServer && listening[fd.Source.Port()] {
			fd.Source, fd.Dest = fd.Dest, fd.Source
		}
	}
}

// listening are the ports that any thread listens on.
func (t *Table) listening() map[uint16]bool {
	ports := map[uint16]bool{}
	for _, th := range t.threads {
		for _, d := range th.files.fds {
			if d.sock != nil && d.sock.listens {
				p, _ := d.sock.placeOf(d.Letter)
				ports[d.sock.ends.port(p.sport)] = true
			}
		}
	}
	return ports
}
