package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// enter handles the seccomp stop: the entry of a call.
func (t *Tracer) enter(th *thread) {
	t.sure(th)
	if !t.read(th) {
		t.resume(th, unix.PTRACE_CONT, 0)
		return
	}
	if t.in.Op != sys.SyscallSeccomp {
		return // it was killed and is in its last stop, which is reported too
	}
	if th.stood {
		t.stoodBefore(th)
		return
	}
	t.bind(th)
	t.enters(th)
}

// enters handles the entry of a call that t.in describes.
func (t *Tracer) enters(th *thread) {
	active := t.active()
	if active && t.sink.Ceiling() != t.specs.ceiling {
		t.specs = newSpecs(t.cfg.Calls, t.sink.Ceiling())
	}
	packed := t.in.Words[2]
	s := t.specOf(th)
	if len(th.interrupted) > 0 && t.restarted(th, s) {
		th.cut = false
		t.pin.before(th, s.kind)
		switch s.kind {
		case kindClone: // as fork does for a signal that is pending
			th.call.order = t.births.next()
			t.keepTraced(th)
		case kindWait:
			t.childless(th)
		}
		th.inCall = true
		t.resume(th, unix.PTRACE_SYSCALL, 0)
		return
	}
	if t.root != nil && !t.beforeCommand(th, s) {
		t.resume(th, unix.PTRACE_CONT, 0)
		return
	}
	if active && !th.stood { // a tracer that is killed would leave its pin behind
		t.pin.stop(th, s.kind)
	}
	c := &th.call
	c.begin()
	c.spec, c.arch, c.nr, c.ip, c.sp = s, t.in.Arch, t.in.Words[0], t.in.IP, t.in.SP
	copy(c.args[:], t.in.Words[1:7])
	c.packed = packed
	c.hidden = s.fold == foldSockets && th.proc.mem.admits() // what it does could not be read
	t.pin.before(th, s.kind)
	switch s.kind {
	case kindClone:
		t.cloneFlags(th)
		t.splits(th)
		c.order = t.births.next()
		t.keepTraced(th)
	case kindKill:
		if t.killsAll(th) {
			t.killAll(th)
		} else {
			t.guard(th)
		}
	case kindAssail, kindAffinity, kindTrace:
		t.guard(th)
	case kindPriority:
		t.guard(th)
		t.keepPriorities(th)
	case kindSeccomp:
		t.oneListener(th)
	case kindMount:
		t.mounted(th)
	case kindFaults:
		t.served.locks = true
	case kindIoctl:
		if uint32(c.args[1]) == newFaults {
			t.served.locks = true
		}
		t.guard(th)
	case kindWait:
		t.childless(th)
	case kindNS, kindTable:
		t.splits(th)
	case kindCreds, kindName: // or what prctl does beside: dumpable
		th.proc.mem.open()
	}
	t.entered(c)
	if active && s.report {
		t.capture(th)
		t.pin.opens(c.text)
		c.sent = true
		if !s.exitOnly {
			t.emit(th, th.tid, s.enter, s.class)
		}
	}
	if s.kind == kindTrace && t.cfg.Release && t.handOver(th) {
		return
	}
	if t.foreign() || s.refused {
		// Foreign: the program has a filter of its own that asks for a tracer. It
		// has none: without us the kernel would refuse the call with this error.
		skipCall(th.tid, -int64(unix.ENOSYS))
	}
	if inVsyscall(c.ip) { // there is no stop at its end, and no failure but a signal
		c.ret = 0
		t.report(th, s.enter+1)
		t.resume(th, unix.PTRACE_CONT, 0)
		return
	}
	needed := c.sent || th.awaits || t.sum != nil && s.report || s.kind.result()
	if s.noReturn || !needed {
		t.resume(th, unix.PTRACE_CONT, 0)
		return
	}
	th.inCall = true
	t.resume(th, unix.PTRACE_SYSCALL, 0)
	if p := th.proc; s.kind == kindExec && th.tid == p.pid {
		p.foresee(th.tid, &t.proc)
	}
}

// specOf is the spec of the call at whose entry th stands, which t.in becomes.
func (t *Tracer) specOf(th *thread) *spec {
	arch, n := number(t.in.Arch, t.in.Words[0])
	s := t.specs.lookup(arch, n)
	if s.fold != foldNone {
		return t.unfold(th, s)
	}
	if s.widen != nil {
		s.widen(arch, t.in.Words[1:7])
	}
	if t.specs.checks(s, t.in.Words[1:7]) {
		return &t.specs.check
	}
	return s
}

// foreign reports whether t.in is the stop of another filter than ours.
func (t *Tracer) foreign() bool {
	return t.in.Op == sys.SyscallSeccomp && uint16(t.in.Words[7]) != t.cookie
}

// Restart codes of the kernel (include/linux/errno.h). Whoever sees one has
// not seen a result: the call goes on, or ends with EINTR.
const (
	restartSys          = -512 // ERESTARTSYS
	restartNoIntr       = -513 // ERESTARTNOINTR
	restartNoHandler    = -514 // ERESTARTNOHAND
	restartRestartBlock = -516 // ERESTART_RESTARTBLOCK
)

// exit handles the stop at the exit of a call.
func (t *Tracer) exit(th *thread) {
	if !th.inCall || !t.read(th) {
		t.resume(th, unix.PTRACE_CONT, 0)
		return
	}
	if t.in.Op != sys.SyscallExit {
		return // as in enter
	}
	t.alarmed(th)
	t.exits(th)
	t.resume(th, unix.PTRACE_CONT, 0)
}

// exits handles the exit of a call that t.in describes.
func (t *Tracer) exits(th *thread) {
	th.inCall = false
	t.giveBack(th)
	c := &th.call
	c.ret = int64(t.in.Words[0])
	if narrow(c.arch) {
		c.ret = int64(int32(c.ret))
	}
	if t.trapped(th) {
		c.ret = -int64(unix.EPERM)
	}
	switch c.ret {
	case restartSys, restartNoIntr, restartNoHandler, restartRestartBlock:
		t.interrupt(th)
	case -int64(unix.EINTR):
		th.unsure = true
	default:
		if th.slipped() {
			t.slip(th)
		}
		t.finish(th)
		if th.awaits {
			th.awaits = false
			t.childGone() // others may wait for the one that it has collected
		}
	}
	th.awaits = false
}

// finish ends the call of th, whose result is known.
func (t *Tracer) finish(th *thread) {
	c := &th.call
	if c.spec.kind == kindExec && c.ret < 0 {
		th.proc.refresh(th.tid, &t.proc)
		if t.root != nil {
			t.refused(unix.Errno(-c.ret))
		}
	}
	t.takePriorities(c)
	if c.ret == 0 {
		switch c.spec.kind {
		case kindCreds:
			th.proc.mem.user = true
			t.changedCreds(th)
		case kindNS:
			th.proc.enteredSpaces(th.tid, &t.proc)
		case kindName:
			t.renamed(th)
		case kindTrace:
			if r := c.args[0]; r == unix.PTRACE_ATTACH || r == unix.PTRACE_SEIZE {
				th.proc.tracee = int(int32(c.args[1]))
			}
		}
	}
	t.report(th, c.spec.enter+1)
}

// report ends a call: it writes the exit half if the enter half was written.
func (t *Tracer) report(th *thread, typ uint16) {
	c := &th.call
	t.left(c)
	if c.sent && t.active() {
		if c.ret == -int64(unix.EFAULT) && th.proc.mem.copies == nil {
			th.proc.mem.asProgram(&t.proc)
			defer th.proc.mem.asTracer()
			th.forgetUnpermitted()
		}
		t.captureAgain(th)
		if c.spec.enter == enterBind {
			t.bound(th)
		}
		t.emit(th, th.tid, typ, c.spec.class)
		for c.spec.multiple() && int64(c.message)+1 < min(c.ret, th.proc.mem.maxMessages()) {
			c.message++
			t.emit(th, th.tid, typ, c.spec.class)
		}
	}
	c.sent = false
	t.giveText(c)
}

// maxMessages bounds the events of a call with a list of messages: by what the kernel
// takes (UIO_MAXIOV), of which each may go somewhere else, or by what was copied, which
// is as many as the kernel drivers tell.
func (m *memory) maxMessages() int64 {
	if m.copies != nil {
		return 32
	}
	return 1024
}

// capture reads what both halves of the call need and only the entry still
// has: the strings, and the socket address. The program may change them at any
// time; both halves tell the same.
func (t *Tracer) capture(th *thread) {
	if th.call.spec.strings != 0 {
		t.takeText(&th.call)
	}
	th.readStrings()
	t.willCreate(th)
	if t.sink.Truth() {
		th.readHow()
	}
	th.readAddress()
	if m := &th.proc.mem; th.call.missing && th.call.spec.kind == kindExec && (m.served == nil || !m.served.memory) {
		th.call.hidden = th.hides() // afterwards there is another program
	}
}

// captureAgain reads what could not be read at the entry. Memory can be filled
// when the kernel touches it first, which it has done by now unless the call
// has failed because of that.
func (t *Tracer) captureAgain(th *thread) {
	c := &th.call
	replaced := c.spec.kind == kindExec && c.ret >= 0
	if !c.missing || replaced || c.ret == -int64(unix.EFAULT) {
		return
	}
	at, _, open := c.nameOfOpen()
	late := open && c.ret >= 0 && !c.texts[at].whole
	th.readStrings()
	th.readAddress()
	c.hidden = c.hidden || th.hides()
	switch {
	case late && th.proc.mem.copies != nil:
		th.resolvedName()
	case late:
		t.trueName(th)
	}
}

// hides reports whether a string or the address of the call of th lies where nobody
// reads but the kernel in a call of the program itself: in memory of memfd_secret, or
// of a device.
func (th *thread) hides() bool {
	c := &th.call
	if !th.proc.mem.admits() {
		return false
	}
	for n := range uint8(len(c.args)) {
		if c.spec.strings>>n&1 != 0 && c.args[n] != 0 && !c.texts[n].whole {
			return true
		}
	}
	a := c.spec.addr
	return a >= 0 && c.args[a] != 0 && len(c.addr) < min(int(uint32(c.args[c.spec.addrLen])), unix.SizeofSockaddrAny)
}

// forgetUnpermitted is for a call that has failed because of its memory: what
// the program could not have read is not what the kernel has.
func (th *thread) forgetUnpermitted() {
	c, m := &th.call, &th.proc.mem
	if m.maps == 0 {
		return
	}
	for n := range c.texts {
		x := &c.texts[n]
		if got := m.permitted(c.args[n], int(x.len)+1); x.ok && got <= int(x.len) {
			x.len, x.ok, x.whole = uint16(got), got > 0, false
		}
	}
	if a := c.spec.addr; a >= 0 {
		c.addr = c.addr[:m.permitted(c.args[a], len(c.addr))]
	}
}

// readStrings reads those of the strings of a call that are not known whole.
func (th *thread) readStrings() {
	c := &th.call
	for n := range uint8(len(c.args)) {
		if c.spec.strings>>n&1 == 0 || c.texts[n].whole || c.args[n] == 0 {
			continue
		}
		from := len(c.text)
		x := &c.texts[n]
		c.text, x.whole = th.proc.mem.appendWhole(c.text, c.args[n], maxPath-1)
		x.off, x.len = uint16(from), uint16(len(c.text)-from)
		x.ok = x.whole || x.len > 0
		c.missing = c.missing || !x.whole
	}
}

// readAddress reads the socket address of a call that has one.
func (th *thread) readAddress() {
	c := &th.call
	a := c.spec.addr
	if a < 0 {
		return
	}
	size := min(int(uint32(c.args[c.spec.addrLen])), unix.SizeofSockaddrAny)
	c.addr = append(c.addr[:0], zeros[:size]...)
	c.addr = c.addr[:th.proc.mem.read(c.addr, c.args[a])]
	c.missing = c.missing || len(c.addr) < size
}

// takeText gives a call the memory for its strings. Only calls that a thread is
// in have such memory: threads are many, and a path may be long.
func (t *Tracer) takeText(c *call) {
	if n := len(t.texts); n > 0 && c.text == nil {
		c.text, t.texts = t.texts[n-1], t.texts[:n-1]
	}
}

// giveText takes it back when the call has ended.
func (t *Tracer) giveText(c *call) {
	if c.text != nil {
		t.texts = append(t.texts, c.text[:0])
		c.text, c.texts = nil, [6]extent{}
	}
}

// emit writes one record.
func (t *Tracer) emit(th *thread, tid int, typ uint16, class shm.Class) {
	if th.known != t.sink.Reader() {
		t.announce(th)
	}
	params := syscalls.Events[typ].Params
	if t.specs.ceiling < syscalls.CeilingNewest {
		// What a reader does not know it passes over, but the library of
		// sysdig 0.41.4 and Falco 0.43 gives up at a capture with such events.
		params = params[:syscalls.NewestParams(typ)]
	}
	t.enc.Begin(t.clock(), int64(tid), typ, len(params))
	for i := range params {
		t.param(th, &params[i])
	}
	rec, err := t.end(th, typ)
	if err != nil {
		t.encodeFailed(th, tid, typ)
		return
	}
	if !t.sink.Write(rec, class) {
		t.dropped(&th.call)
	}
}

// encodeFailed sends a generic event in the place of one that could not be
// made, so that the call is not lost altogether.
func (t *Tracer) encodeFailed(th *thread, tid int, typ uint16) {
	t.sink.Count(event.CauseEncode)
	if typ == syscalls.GenericE || typ == syscalls.GenericX || typ == syscalls.ProcExitE {
		return
	}
	t.emit(th, tid, typ&1, shm.Normal)
}

// handlerStop reports whether th stands at the first instruction of a signal
// handler because it was to stop there, and looks what became of the call that
// the signal has interrupted.
func (t *Tracer) handlerStop(th *thread) bool {
	var info sys.SigInfo
	if info.Get(th.tid) != 0 || info.Code != int32(unix.SIGTRAP) {
		return false
	}
	t.handlerStarts(th)
	return true
}
