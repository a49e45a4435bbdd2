package state

import (
	"cmp"
	"path/filepath"
	"strings"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/procfs"
)

// maxTID is more than any kernel's PID_MAX_LIMIT.
const maxTID = 1 << 22

// find looks a thread up in /proc and makes its entry, and the one of its
// process. It returns nil if there is no such thread or no room.
func (t *Table) find(tid int64) *Thread {
	if t.cfg.Root == "" || tid <= 0 || tid > maxTID || !t.room() {
		return nil
	}
	t.stats.Lookups++
	status, err := procfs.ReadStatus(t.proc(), int(tid))
	if err != nil {
		return nil
	}
	th := t.add(tid)
	th.PID = int64(status.PID)
	t.childOf(th, int64(status.PPID))
	th.UID, th.GID, th.Comm = status.UID, status.GID, status.Comm
	th.VTID, th.VPID = cmp.Or(int64(status.VTID), th.TID), cmp.Or(int64(status.VPID), th.PID)
	t.describe(th, &status)
	if th.PID == th.TID {
		th.Program = t.program(tid)
		t.account(th)
		th.leader = th
		t.adopt(th)
		t.enterDir(th)
		return th
	}
	leader := t.threads[th.PID]
	if leader == nil {
		leader = t.find(th.PID)
	}
	if leader == nil {
		return th
	}
	th.leader, th.Program = leader, leader.Program
	t.account(th)
	leader.members++
	t.release(th.files)
	th.files, th.dir = leader.files.retain(), leader.dir
	return th
}

// describe fills in what else /proc says of a thread.
func (t *Table) describe(th *Thread, status *procfs.Status) {
	tid := int(th.TID)
	th.VPGID = cmp.Or(int64(status.VPGID), -1)
	th.VMSize, th.VMRSS, th.VMSwap = status.VMSize, status.VMRSS, status.VMSwap
	th.CapInheritable, th.CapPermitted, th.CapEffective = status.CapInheritable, status.CapPermitted, status.CapEffective
	if stat, err := procfs.ReadStat(t.proc(), tid); err == nil {
		th.PGID, th.SID, th.TTY = stat.PGID, stat.SID, stat.TTY
		th.MajorFaults, th.MinFaults = stat.MajFaults, stat.MinFaults
		if boot := t.machine.Boot; boot > 0 {
			th.Started = boot + stat.StartTime*procfs.Tick
		}
	}
	th.LoginUID, th.FDLimit = procfs.ReadLoginUID(t.proc(), tid), procfs.ReadFDLimit(t.proc(), tid)
	if list, err := procfs.ReadCgroups(t.proc(), tid); err == nil {
		th.Cgroups = cgroups(list)
	}
}

func (t *Table) proc() string {
	return cmp.Or(t.cfg.Proc, filepath.Join(t.cfg.Root, "proc"))
}

// same reports whether the process of that number in /proc looks like th: the
// producer may be in another pid namespace.
func (t *Table) same(th *Thread) bool {
	if t.cfg.Root == "" {
		return false
	}
	status, err := procfs.ReadStatus(t.proc(), int(th.TID))
	return err == nil && status.Comm == th.Comm && int64(status.PPID) == th.PTID
}

// adopt takes the descriptors of a process from /proc.
func (t *Table) adopt(th *Thread) {
	if t.cfg.Root == "" {
		return
	}
	// What cannot be read stays unknown.
	fds, _ := procfs.ReadFDs(t.proc(), int(th.TID), t.cfg.MaxFDs)
	sockets := socketFDs{}
	for _, fd := range fds {
		t.set(th.files, int64(fd.Number), linked(fd))
		sockets.add(fd)
	}
	t.nameSockets(th, sockets)
}

func (t *Table) enterDir(th *Thread) {
	if t.cfg.Root == "" {
		return
	}
	if cwd, err := procfs.ReadCwd(t.proc(), int(th.TID)); err == nil {
		th.dir.path = asDir(cwd)
	}
}

// linkLetters are the kinds of descriptors whose links are no paths.
var linkLetters = [...]struct {
	prefix string
	letter byte
}{
	{"/", 'f'},
	{"pipe:", 'p'},
	{"anon_inode:[eventfd]", 'e'},
	{"anon_inode:[eventpoll]", 'l'},
	{"anon_inode:[signalfd]", 's'},
	{"anon_inode:[timerfd]", 't'},
	{"anon_inode:inotify", 'i'},
	{"anon_inode:[io_uring]", 'r'},
	{"anon_inode:[pidfd]", 'P'},
}

// linked is the descriptor that /proc shows as a link.
func linked(fd procfs.FD) descriptor {
	d := descriptor{FDName: event.FDName{Letter: 'X', Name: fd.Link}}
	for _, l := range linkLetters {
		if strings.HasPrefix(fd.Link, l.prefix) {
			d.Letter = l.letter
			break
		}
	}
	if fd.Dir {
		d.Letter = 'd'
	}
	return d
}
