package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// A new thread stops, and may even die, before its creator stops in the event
// that tells of it: until then it is parked. A creator that is killed after it
// has made a thread does not stop any more, and the thread is an orphan: nobody
// will tell of it, so it tells of itself.

// births are threads that have been seen, but not told of.
type births struct {
	parked map[int]uint32 // status of the first stop, by tid
	gone   map[int]death  // those that have died already
	orders uint64         // calls of the clone family so far

	// bereaved is set when a creator has died without telling: from then on
	// a parked thread may be an orphan.
	bereaved bool
}

// death is how a thread ended, and how many calls of the clone family there had
// been. A later call has not made it, but another thread with its tid.
type death struct {
	status uint32
	orders uint64
}

// maxGone bounds the deaths of threads whose creators were killed too: nobody
// asks for them.
const maxGone = 1024

// next numbers a call of the clone family.
func (b *births) next() uint64 {
	b.orders++
	return b.orders
}

// park keeps a thread stopped until somebody tells of it. One that was killed
// before it has done anything is not kept: its creator may be the leader of its
// process, whose death is not reported before its own.
func (b *births) park(t *Tracer, tid int, status uint32) {
	delete(b.gone, tid) // that one had its tid before
	if eventOf(status) == unix.PTRACE_EVENT_EXIT {
		delete(b.parked, tid)
		_ = sys.Ptrace(unix.PTRACE_CONT, tid, 0, 0)
		return
	}
	b.parked[tid] = status
	if b.bereaved {
		b.adopt(t)
	}
}

// died notes the death of a thread that nobody has told of.
func (b *births) died(tid int, status uint32) {
	delete(b.parked, tid)
	if len(b.gone) >= maxGone {
		clear(b.gone)
	}
	b.gone[tid] = death{status, b.orders}
}

// told lets a thread go on, or end, that has just been made known. The call
// that has made it has the given order.
func (b *births) told(t *Tracer, tid int, order uint64) {
	if status, ok := b.parked[tid]; ok {
		delete(b.parked, tid)
		t.stopped(tid, status)
	} else if d, ok := b.gone[tid]; ok {
		delete(b.gone, tid)
		if order <= d.orders {
			t.ended(tid, d.status)
		}
	}
	if b.bereaved {
		b.adopt(t)
	}
}

// bereave is called when a thread has died in a call of the clone family.
func (b *births) bereave(t *Tracer) {
	b.bereaved = true
	b.adopt(t)
}

// adopt makes those of the parked threads known of which nobody will tell.
func (b *births) adopt(t *Tracer) {
	for tid, status := range b.parked {
		var st procStatus
		if !st.read(tid, &t.proc) || t.expected(tid, &st) {
			continue
		}
		delete(b.parked, tid)
		t.adopted(tid, &st)
		t.stopped(tid, status)
	}
}

// creating reports whether th is in a call of the clone family and has not told
// of a child yet, or may be.
func (th *thread) creating() bool {
	return th.seized || th.inCall && th.call.spec.kind == kindClone && th.call.child == 0
}

// expected reports whether a living thread may still tell of thread tid.
func (t *Tracer) expected(tid int, st *procStatus) bool {
	for _, th := range t.table.threads {
		if !th.creating() {
			continue
		}
		flags := th.call.flags
		switch {
		case th.seized:
			if th.proc.pid == st.tgid || th.proc.pid == st.ppid {
				return true
			}
		case flags&unix.CLONE_THREAD != 0:
			if th.proc.pid == st.tgid && st.tgid != tid {
				return true
			}
		case st.tgid == tid && (th.proc.pid == st.ppid || flags&unix.CLONE_PARENT != 0):
			return true
		}
	}
	return false
}

// adopted makes a thread known by what the kernel says of it.
func (t *Tracer) adopted(tid int, st *procStatus) *thread {
	if p := t.table.process(st.tgid); p != nil && st.tgid != tid {
		child := t.table.add(tid, p)
		child.comm = readName(tid, &t.proc)
		t.born(child, syscalls.CloneX, unix.CLONE_THREAD|unix.CLONE_VM|unix.CLONE_SIGHAND|unix.CLONE_FS|unix.CLONE_FILES)
		return child
	}
	child := t.table.add(tid, t.meet(tid, st))
	t.born(child, syscalls.CloneX, 0)
	return child
}

// meet makes the process of thread tid known, by what the kernel says of it.
// The thread lives; the leader of its process may not.
func (t *Tracer) meet(tid int, st *procStatus) *process {
	p := &process{pid: tid, mem: memory{pid: tid, served: &t.served}}
	p.descend(t.table.process(st.ppid), st.ppid)
	p.adopted = p.up != nil && p.up.adopted
	p.image = p.readImage(&t.proc, nil)
	p.pid = st.tgid
	p.vpid = innerPID(p.pid, &t.proc)
	p.nested = p.vpid != p.pid
	p.apart = sendsChildren(tid, false)
	p.childNested = p.nested || p.apart
	p.nsStart = t.initStart(p, tid)
	return p
}
