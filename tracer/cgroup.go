package tracer

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
)

// cgroupList is a content of /proc/PID/cgroup and what it means. It is shared
// and never changed.
type cgroupList struct {
	content []byte
	falco   []byte // Falco's list
}

// list is Falco's list; nil if nobody has looked.
func (l *cgroupList) list() []byte {
	if l == nil {
		return nil
	}
	return l.falco
}

// foresight is what the execution of a program does not change.
type foresight struct {
	cgroups  *cgroupList // nil: nobody has looked
	loginuid uint32      // that of the session, if it is one, can be set at any time before
}

// foresee looks at a process by its thread tid, which lives: one that has ended is in
// no cgroup of version 1 any more. At an execution the kernel has begun to carry the
// call out, and here nothing else is to be done meanwhile; but only the leader keeps
// its number while it does so.
func (p *process) foresee(tid int, b *procBuffer) {
	p.foreseen = foresight{p.readCgroups(tid, b), readLoginUID(tid, b)}
}

// takeForesight returns what was foreseen, or looks now.
func (p *process) takeForesight(tid int, b *procBuffer) foresight {
	if p.foreseen.cgroups == nil {
		p.foresee(tid, b)
	}
	f := p.foreseen
	p.foreseen = foresight{}
	return f
}

// readLoginUID returns who has logged in, which is nobody if it is not told.
func readLoginUID(pid int, b *procBuffer) uint32 {
	if id := b.read(pid, "loginuid"); len(id) > 0 {
		return uint32(decimal(id))
	}
	return nobody
}

// placed is for a process that was made just now, by a clone with these flags: its parent
// may have chosen its cgroup of version 2.
func (p *process) placed(flags uint64, b *procBuffer) {
	if flags&unix.CLONE_INTO_CGROUP == 0 {
		return
	}
	im := *p.image
	im.cgroups = p.readCgroups(p.pid, b)
	p.image = &im
}

// readCgroups returns the cgroups that thread tid of p is in, mostly those that p was in,
// which also stand for what cannot be read.
func (p *process) readCgroups(tid int, b *procBuffer) *cgroupList {
	content := b.read(tid, "cgroup")
	if im := p.image; im != nil && im.cgroups != nil && (len(content) == 0 || bytes.Equal(content, im.cgroups.content)) {
		return im.cgroups
	}
	return &cgroupList{bytes.Clone(content), procfs.Cgroups(content)}
}
