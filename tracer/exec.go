package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// executed handles the event stop of a successful exec. The thread that made
// the call has the tid of its process now, and no other thread is left.
func (t *Tracer) executed(tid int) {
	former := tid
	if th := t.table.get(tid); th == nil || th.proc.threads > 1 || !th.executing() {
		if msg, ok := sys.MessageOf(tid, unix.PTRACE_EVENT_EXEC); ok {
			former = int(msg)
		} else {
			former = t.executor(tid) // it has been killed in this stop
		}
	}
	th := t.table.get(former)
	if th == nil {
		// It is ours, or there would be no such stop, but nobody told of it.
		var st procStatus
		if !st.read(tid, &t.proc) {
			_ = sys.Ptrace(unix.PTRACE_CONT, tid, 0, 0)
			return
		}
		th = t.adopted(tid, &st)
	}
	if tid == t.rootPID {
		t.unhold() // the leader was replaced
	}
	if former != tid {
		t.replaceLeader(th, tid)
		t.withExitStop(th)
	}
	th.turned(unix.PTRACE_EVENT_EXEC, 0)
	p := th.proc
	th.comm, th.own, th.ended = nil, nil, ended{}
	p.mem.close()
	p.mem.fresh, p.mem.still = true, tid
	p.sockets.split = false // nobody is left who could have another table
	p.image = p.readImage(&t.proc, p.image)
	if len(p.image.env) == 0 {
		p.image.env = t.stackEnvironment(th)
	}
	p.mem.fresh, p.mem.direct = false, directReads
	t.heap.grew()
	th.interrupted = nil
	switch {
	case th.inCall:
		th.inCall = false
		th.call.ret = 0
		t.report(th, syscalls.ExecveX)
	case th.seized:
		th.seized = false
		t.tellExec(th)
	}
	if t.root != nil {
		t.started()
	}
	t.pin.executed(tid)
	t.resume(th, unix.PTRACE_CONT, 0)
}

// executor is the tid, until its exec has succeeded, of the thread that has the
// place of the leader of process pid now. All others but the leader have been
// collected by then (fs/exec.c, de_thread).
func (t *Tracer) executor(pid int) int {
	for tid, th := range t.table.threads {
		if tid != pid && th.proc.pid == pid && th.executing() {
			return tid
		}
	}
	return pid
}

// executing reports whether th is in an exec.
func (th *thread) executing() bool {
	return th.inCall && th.call.spec.kind == kindExec
}

// replaceLeader gives th, which has executed a program, the place of the
// leader of its process. The tid that it had is gone.
func (t *Tracer) replaceLeader(th *thread, tid int) {
	if leader := t.table.get(tid); leader != nil && leader != th {
		if !leader.exited { // not dead: replaced
			leader.exited = true
			leader.proc.live--
		}
		creating := leader.creating()
		t.table.remove(leader)
		if creating {
			t.births.bereave(t)
		}
	}
	former := &thread{tid: th.tid, proc: th.proc, known: th.known}
	t.remake(th.proc, th.tid, tid)
	th.proc.live++
	t.procExit(former, 0)
	t.table.rename(th, tid)
}

// tellExec writes both halves of an exec that was under way when its thread was
// seized: who misses it takes the process for what it was. The path is that of
// the file, since the one that was asked for is gone.
func (t *Tracer) tellExec(th *thread) {
	if !t.active() {
		return
	}
	c := &th.call
	c.begin()
	c.spec, c.arch, c.sent = t.specs.lookup(abis[0].arch, unix.SYS_EXECVE), abis[0].audit, true
	t.takeText(c)
	c.text = append(c.text, th.proc.file.path[:min(len(th.proc.file.path), maxPath)]...)
	c.texts[0] = extent{len: uint16(len(c.text)), ok: true, whole: true}
	if !c.spec.exitOnly {
		t.emit(th, th.tid, c.spec.enter, c.spec.class)
	}
	t.report(th, syscalls.ExecveX)
}
