package tracer

import (
	"bytes"
	"slices"
	"strings"
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

// readCgroups returns the cgroups that thread tid of p is in, mostly those that p was in.
func (p *process) readCgroups(tid int, b *procBuffer) *cgroupList {
	content := b.read(tid, "cgroup")
	if im := p.image; im != nil && im.cgroups != nil && bytes.Equal(content, im.cgroups.content) {
		return im.cgroups
	}
	return &cgroupList{bytes.Clone(content), cgroups(content)}
}

// maxCgroups bounds the list of a record, in bytes.
const maxCgroups = 4096

// controllers are those that Falco's kernel module lists, in its order. Its probes list
// the first few; the others are listed where they have a hierarchy of version 1: a process
// may be in the cgroup of its container in one of these only.
var controllers = [...]string{
	"cpuset", "cpu", "cpuacct", "io", "memory", // few
	"devices", "freezer", "net_cls", "perf_event", "net_prio", "hugetlb", "pids", "rdma", "misc",
}

const few = 5

// cgroups makes Falco's list of the content of /proc/PID/cgroup: for the
// controllers that it knows, in its order, the path, each with a NUL. The one
// hierarchy of version 2 stands for the first few.
func cgroups(content []byte) []byte {
	var list []byte
	for i, want := range controllers {
		for line := range bytes.Lines(content) {
			f := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte(":"), 3)
			if len(f) != 3 || len(f[1]) == 0 && i >= few || !hasController(string(f[1]), want) {
				continue
			}
			list = append(append(append(list, want...), '='), f[2]...)
			list = append(list, 0)
			break
		}
	}
	return boundCgroups(list)
}

func boundCgroups(list []byte) []byte {
	if len(list) > maxCgroups {
		list = list[:maxCgroups]
		list[maxCgroups-1] = 0
	}
	return list
}

// hasController reports whether a line of /proc/PID/cgroup with these
// controllers is about the one of that name.
func hasController(controllers, want string) bool {
	if controllers == "" {
		return true // version 2
	}
	if want == "io" {
		want = "blkio" // its name in version 1
	}
	return slices.Contains(strings.Split(controllers, ","), want)
}
