package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// cloneFlags keeps the flags of a call of the clone family for its exit half,
// when the memory may be another's. fork and vfork have none.
func (t *Tracer) cloneFlags(th *thread) {
	c := &th.call
	arch, n := number(c.arch, c.nr)
	k := syscalls.Lookup(arch, n)
	if k == nil {
		return
	}
	switch k.Name {
	case "clone":
		c.flags = c.args[0] &^ 0xff // the low byte is the exit signal
	case "clone3":
		var b [8]byte // struct clone_args begins with the flags
		if th.proc.mem.full(b[:], c.args[0]) {
			c.flags = binary.NativeEndian.Uint64(b[:])
		}
	}
}

// keepTraced takes CLONE_UNTRACED from a call: the child would keep the filter
// and lose the tracer, and every call of it that the filter knows would fail. Where
// it cannot be taken away (a clone3 with its flags in memory that is shared and that
// nobody may write through this mapping) there is no child.
// [Tracer.giveBack] undoes it when the call has been carried out.
func (t *Tracer) keepTraced(th *thread) {
	c := &th.call
	if c.flags&unix.CLONE_UNTRACED == 0 {
		return
	}
	if c.changed = t.putFlags(th, c.flags&^unix.CLONE_UNTRACED, false); !c.changed {
		skipCall(th.tid, -int64(unix.EPERM))
	}
}

// giveBack makes what the program sees of its call what it was, and what a new child
// sees of the call that has made it.
func (t *Tracer) giveBack(th *thread) {
	if th.call.changed {
		t.putFlags(th, th.call.flags, true)
		th.call.changed = false
	}
}

// putFlags changes the flags of a clone or clone3 where the kernel reads them. Memory
// may have been given another meaning by the exit: others have it too.
func (t *Tracer) putFlags(th *thread, flags uint64, exit bool) bool {
	c := &th.call
	if c.spec.enter == syscalls.Clone3X-1 {
		var b [8]byte
		if exit && (sys.Peek(th.tid, b[:], c.args[0]) < len(b) || binary.NativeEndian.Uint64(b[:]) != flags&^unix.CLONE_UNTRACED) {
			return false
		}
		return sys.Ptrace(unix.PTRACE_POKEDATA, th.tid, uintptr(c.args[0]), uintptr(flags)) == 0
	}
	return setArgument0(th.tid, c.arch, c.args[0]&0xff|flags, exit)
}

// cloned handles the event stop of a thread that has made another one.
func (t *Tracer) cloned(th *thread, event int) {
	msg, ok := sys.MessageOf(th.tid, event)
	if !ok {
		return // its last stop is reported too
	}
	tid := int(msg)
	switch {
	case t.table.get(tid) != nil:
	case th.inCall:
		t.birth(th, tid)
	default: // what the call has asked for was not seen
		var st procStatus
		if st.read(tid, &t.proc) {
			t.adopted(tid, &st)
		} else {
			t.birth(th, tid)
		}
	}
	c := &th.call
	request := unix.PTRACE_CONT
	if th.inCall {
		c.ret, c.child = int64(tid), tid
		if th.proc.nested || c.changed {
			// The result is a number of the caller's pid namespace, which only
			// the exit of the call shows; there too the flags are put back.
			request = unix.PTRACE_SYSCALL
		} else {
			th.inCall = false
			t.report(th, c.spec.enter+1)
		}
	}
	t.resume(th, request, 0)
	if child := t.table.get(tid); child != nil && child.proc != th.proc {
		t.pin.born(tid, th.tid)
	}
	t.births.told(t, tid, c.order)
}

// birth makes the thread that th has made known, and tells so: the child's
// half of the clone comes before anything else that the child does.
func (t *Tracer) birth(th *thread, tid int) *thread {
	p := th.proc
	if th.call.flags&unix.CLONE_THREAD == 0 {
		p = t.fork(th, tid)
	}
	child := t.table.add(tid, p)
	child.bound = th.bound
	if p == th.proc {
		child.comm, child.own = th.name(), th.own
	}
	child.fresh = th.proc.root && !(p.root && p.vpid == 1)
	t.heap.grew()
	if th.call.spec != nil {
		t.born(child, th.call.spec.enter+1, th.call.flags)
	}
	if from, c := &th.call, &child.call; from.changed { // until its first stop
		c.spec, c.arch, c.args, c.flags, c.changed = from.spec, from.arch, from.args, from.flags, true
	}
	return child
}

// fork makes the process of a child that is no thread of its parent.
func (t *Tracer) fork(th *thread, tid int) *process {
	from := th.proc
	p := &process{
		pid:         tid,
		vpid:        tid,
		mem:         memory{pid: tid, served: &t.served},
		image:       from.image,
		injected:    from.injected && !from.injecting,
		adopted:     from.adopted,
		filtered:    from.filtered && !th.stood,
		nested:      from.nested || from.childNested,
		childNested: from.nested || from.childNested,
		nsStart:     from.nsStart,
	}
	if !t.attached && !p.adopted { // what was there before may have a handler of faults that children inherit
		p.mem.direct = directReads
	}
	if from.mem.user && th.sharesMemory() {
		if p.mem.open(); p.mem.fd == 0 {
			p.mem.share(&from.mem)
		}
	}
	if th.call.flags&unix.CLONE_PARENT != 0 {
		p.descend(from.up, from.parent)
		p.maker = from.maker
	} else {
		p.descend(from, from.pid)
		p.maker = th.tid
	}
	if th.call.flags&unix.CLONE_NEWPID != 0 {
		p.nested, p.childNested = true, true
	}
	if p.nested {
		p.vpid = innerPID(tid, &t.proc)
		switch {
		case p.vpid == 1:
			p.nsStart = bootTime()
		case from.apart:
			p.nsStart = t.initStart(p, tid)
		}
	}
	switch {
	case th.call.flags&unix.CLONE_NEWUSER != 0:
		p.refreshCreds(&t.proc)
	case th.own != nil:
		p.become(*th.own)
	}
	if th.comm != nil {
		im := *p.image
		im.comm = th.comm
		p.image = &im
	}
	p.placed(th.call.flags, &t.proc)
	return p
}

// sharesMemory reports whether the process that th makes has its memory, as far as
// registers tell: the flags of a clone3 could be others than those that were read.
func (th *thread) sharesMemory() bool {
	c := &th.call
	arch, n := number(c.arch, c.nr)
	k := syscalls.Lookup(arch, n)
	return k != nil && (k.Name == "vfork" || k.Name == "clone" && c.flags&unix.CLONE_VM != 0)
}

// withoutExitStop takes the exit stop from a child or thread of the command, in
// its first stop. Only the leader of the command needs it, whose death the
// kernel reports after those of its other threads; with PID 1 of a namespace,
// however, that ends by the last of its threads, all need it.
func (t *Tracer) withoutExitStop(th *thread) {
	th.fresh = false
	_ = sys.Ptrace(unix.PTRACE_SETOPTIONS, th.tid, 0, t.optionsOf(th)&^unix.PTRACE_O_TRACEEXIT)
}

// withExitStop gives it to a thread that has become the leader.
func (t *Tracer) withExitStop(th *thread) {
	if th.proc.root {
		_ = sys.Ptrace(unix.PTRACE_SETOPTIONS, th.tid, 0, t.optionsOf(th))
	}
}

// born writes the half of a clone that the child sees.
func (t *Tracer) born(child *thread, typ uint16, flags uint64) {
	if !t.active() {
		return
	}
	child.known = t.sink.Reader()
	c := &child.call
	c.begin()
	c.spec, c.flags, c.arch = &t.specs.unknown, flags, abis[0].audit
	t.emit(child, child.tid, typ, shm.Vital)
	c.spec = nil
}
