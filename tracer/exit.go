package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// procExit writes the last event of a thread, once.
func (t *Tracer) procExit(th *thread, status uint32) {
	if th.exited {
		return
	}
	t.sure(th)
	th.exited, th.status = true, status
	th.proc.live--
	if !t.active() || t.root != nil && !t.announced {
		return
	}
	t.emit(th, th.tid, syscalls.ProcExitE, shm.Vital)
}

// exiting handles the stop of the leader of the command before its death: what
// is written by then is out before the command's parent learns of its end.
func (t *Tracer) exiting(th *thread) {
	msg, errno := sys.EventMessage(th.tid)
	if errno == 0 && !t.execInProgress(th) {
		t.procExit(th, uint32(msg))
	}
	if th.creating() {
		// Its death is not reported while it leads other threads, and one
		// that it has made may stand in this stop too, with nobody to tell of it.
		th.inCall = false
		t.births.bereave(t)
	}
	p := th.proc
	if p.root && p.vpid == 1 {
		if errno != 0 && !t.execInProgress(th) {
			t.procExit(th, th.exitStatus()) // it was killed in this stop
		}
		t.deadOf(p)
	}
	if errno == 0 && th.tid == t.rootPID && !t.execInProgress(th) {
		t.hold(p, uint32(msg))
	}
	if p.root && p.live == 0 {
		t.adoptNoMore() // who is held waits for nobody new
	}
	if p.root && p.live == 0 && !t.holding {
		t.summarize()
		if p.vpid != 1 {
			t.conclude(false)
		}
	}
	if p.root && p.live == 0 && p.vpid == 1 && !t.over {
		t.drain(th, unix.PTRACE_CONT)
		return
	}
	t.resume(th, unix.PTRACE_CONT, 0)
}

// deathWaits reports whether somebody has been killed who is not gone before
// the record that is being written is out, or whose own last record that is. A reader that stands still may hold
// the command, but not keep it from being killed.
func (t *Tracer) deathWaits() bool {
	if t.readerStands() {
		return true
	}
	for _, th := range t.table.threads {
		if th.collected && unix.WaitStatus(th.status).Signal() == unix.SIGKILL || killed(th.tid) {
			return true
		}
	}
	return false
}

// killed reports whether tid stands before its death by SIGKILL, told of or not,
// or nobody has been told yet that it has died of it.
func killed(tid int) bool {
	var info sys.SigInfo
	if info.Get(tid) == 0 {
		msg, errno := sys.EventMessage(tid)
		return errno == 0 && info.Code>>8 == unix.PTRACE_EVENT_EXIT && unix.WaitStatus(msg).Signal() == unix.SIGKILL
	}
	return sys.Died(tid) == unix.SIGKILL
}

// execInProgress reports whether another thread of the process of th is in an
// exec. Then th, if it leads the process, does not die but is replaced.
func (t *Tracer) execInProgress(th *thread) bool {
	if th.tid != th.proc.pid || th.proc.threads == 1 {
		return false
	}
	for _, other := range t.table.threads {
		if other != th && other.proc == th.proc && other.inCall && other.call.spec.kind == kindExec {
			return true
		}
	}
	return false
}

// deadOf tells of the threads of PID 1 that are dead without having stopped before:
// a leader that is killed on its way out does not, and its death is reported
// after those of all others, with which the tracer ends.
func (t *Tracer) deadOf(p *process) {
	for _, th := range t.table.threads {
		if th.proc == p && !th.exited && !t.execInProgress(th) && t.inState(th.tid, 'Z') {
			t.procExit(th, th.exitStatus())
		}
	}
}

// exitStatus is the wait status of a thread that nobody tells: what it has called
// exit with, or that it was killed.
func (th *thread) exitStatus() uint32 {
	if s := th.call.spec; s != nil && s.noReturn {
		return uint32(th.call.args[0]&0xff) << 8
	}
	return uint32(unix.SIGKILL)
}

// drain holds th, with which PID 1 ends: it takes everybody in its namespace
// along, the tracer too, so all that was reported has to be written first.
func (t *Tracer) drain(th *thread, release int) {
	t.draining, t.held, t.release = true, th, release
}

// drained ends a namespace: nothing that was reported is left. The kernel
// kills all others in it as soon as its PID 1 goes on.
func (t *Tracer) drained() {
	for _, th := range t.table.threads {
		status := uint32(unix.SIGKILL)
		if th.proc.root && t.heldStatus != 0 {
			status = t.heldStatus
		}
		t.procExit(th, status)
	}
	t.conclude(true)
	t.draining, t.over = false, true
	t.resume(t.held, t.release, 0)
}
