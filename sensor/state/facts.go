package state

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// Lookup returns a thread by its number, from /proc if need be; nil if nobody
// knows it. It is valid until the next event.
func (t *Table) Lookup(tid int64) *Thread {
	if th := t.threads[tid]; th != nil {
		return th
	}
	return t.find(tid)
}

// Parent returns the process that has created the thread's, or nil.
func (t *Table) Parent(th *Thread) *Thread {
	if th.PTID <= 0 || th.PTID == th.PID || th.orphan {
		return nil
	}
	return t.Lookup(th.PTID)
}

// Known returns a thread by its number, nil if the table does not have it.
func (t *Table) Known(tid int64) *Thread { return t.threads[tid] }

// Process returns the first thread of the thread's process, nil if it is not
// known.
func (t *Table) Process(th *Thread) *Thread {
	if th.TID == th.PID || th.leader == nil {
		return t.threads[th.PID]
	}
	return th.leader
}

// main is the first thread of the thread's process, or the thread if that is not
// known.
func (th *Thread) main() *Thread {
	if th.leader == nil {
		return th
	}
	return th.leader
}

// Guesses reports whether the table shows what sysdig does: see [Config].
func (t *Table) Guesses() bool { return t.cfg.Sysdig }

// Memory is [Table.Process] for the size of the memory: in sysdig each thread has what
// it has told itself.
func (t *Table) Memory(th *Thread) *Thread {
	if t.cfg.Sysdig {
		return th
	}
	return t.Process(th)
}

// Host returns the name of the machine, "" if it is not known.
func (t *Table) Host() string { return t.machine.Host }

// NumThreads returns how many threads the thread's process has, as far as known.
func (th *Thread) NumThreads() int {
	if th.leader == nil {
		return 1
	}
	return th.leader.members + 1
}

// NumFDs returns how many descriptors the thread has open, as far as known.
func (th *Thread) NumFDs() int { return len(th.files.fds) }

// Descriptor returns what a descriptor of any thread is.
func (th *Thread) Descriptor(fd int64) (event.FDName, bool) {
	d, ok := th.files.fds[fd]
	return d.FDName, ok
}

// Server reports whether a descriptor of the event's thread is the end of a
// connection that was accepted, or has listened.
func (t *Table) Server(fd int64) bool {
	s := t.cur.files.fds[fd].sock
	return s != nil && s.role == roleServer
}

// usesFD are the events that are about a descriptor.
const usesFD = syscalls.UsesFD | syscalls.CreatesFD | syscalls.DestroysFD

// EventFD returns the descriptor that the event which was applied last is about,
// -1 if that is not known, and false if it is about none.
func (t *Table) EventFD(v *event.View) (fd int64, ok bool) {
	flags := v.Info().Flags
	if flags&usesFD == 0 {
		return 0, false
	}
	s := &shapes[v.Type()]
	switch {
	case s.rule == rulePair && !syscalls.IsEnter(v.Type()):
		res, _ := v.Int(0)
		fd, ok = v.Int(int(s.at[fieldFD2]))
		ok = ok && res >= 0
	case t.uncopied >= 0:
		fd, ok = t.uncopied, true
	case flags&syscalls.CreatesFD != 0:
		switch {
		case syscalls.IsEnter(v.Type()) && flags&syscalls.UsesFD != 0: // of dup, the old one
			fd, ok = v.Int(int(s.fd))
		case !syscalls.IsEnter(v.Type()) && (s.makes || s.rule == ruleNew && (t.newest() || !t.cfg.Sysdig)):
			fd, ok = v.Int(0)
		}
	case s.rule == ruleFcntl && t.newest() && !syscalls.IsEnter(v.Type()):
		fd, ok = v.Int(int(s.fd))
		cmd, _ := v.Int(int(s.at[fieldCmd]))
		if made, _ := v.Int(0); made >= 0 && (cmd == fDupFD || cmd == fDupFDCloexec) {
			fd = made
		}
	case s.rule == ruleFcntl && !syscalls.IsEnter(v.Type()):
		fd, ok = t.cur.lastFD, true // which it may have made
	default:
		fd, ok = v.Int(int(s.fd))
		if !ok && !syscalls.IsEnter(v.Type()) && !t.newest() {
			fd, ok = t.cur.lastFD, true
		}
	}
	if ok && (fd >= 0 || fd == unix.AT_FDCWD && t.newest()) {
		return fd, true
	}
	return -1, true
}

// Ways to open a file, in Falco's numbering.
const (
	openRead  = 1 << 0
	openWrite = 1 << 1
)

// missed forgets a file that is not open, as a call has found out: exec has closed it, as
// a rule. Where the call may have failed because the file is open for something else
// only, the name stays.
func (t *Table) missed(exit half) {
	fd, ok := t.EventFD(exit.View)
	if !ok || fd < 0 || t.cfg.Sysdig {
		return
	}
	f := t.cur.files.fds[fd].file
	if f == nil {
		return
	}
	info := exit.Info()
	if info.Flags&syscalls.ReadsFromFD != 0 && f.flags&openRead != 0 || info.Flags&syscalls.WritesToFD != 0 && f.flags&openWrite != 0 {
		t.unset(t.cur.files, fd)
	}
}

// isFD reports whether a parameter is a descriptor.
func isFD(p *syscalls.Param) bool { return p.Type == syscalls.FD || p.Type == syscalls.FD32 }

// findFD sets which parameter is the descriptor of an event.
func (s *shape) findFD(typ int, params []syscalls.Param) {
	s.fd = -1
	for i := range params {
		if !isFD(&params[i]) {
			continue
		}
		if i == 0 && !syscalls.IsEnter(uint16(typ)) {
			s.makes = true // the result
			continue
		}
		s.fd = int8(i)
		return
	}
}
