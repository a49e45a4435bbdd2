package tracer

import (
	"golang.org/x/sys/unix"
)

// report is a stop or a death that the kernel has told of.
type report struct {
	tid    int
	status uint32
}

// turnEvery is after how many reports all threads that wait get their turn. The
// kernel tells of the youngest that waits first (the order of the list in
// kernel/exit.c, do_wait), so a few that stop all the time would keep the
// others waiting for ever.
const turnEvery = 16

// loop waits for stops and deaths until there is no tracee left, or the tracees
// are to be let go of.
func (t *Tracer) loop() {
	for n := 1; !t.leaving.Load() && !t.alone(); n++ {
		if t.adoption != nil && t.adoption.some.Load() && !t.draining {
			t.admit()
		}
		for len(t.escapes) > 0 && !t.draining { // others may have escaped meanwhile
			t.catch()
		}
		var status uint32
		options := 0
		if t.draining {
			options = unix.WNOHANG
		}
		tid, errno := t.wait(&status, options)
		switch {
		case errno == unix.EINTR:
		case errno != 0: // ECHILD
			return
		case tid == 0:
			t.drained()
		default:
			t.turn = append(t.turn[:0], report{tid, status})
			if n%turnEvery == 0 && len(t.table.threads) > 1 && unix.WaitStatus(status).Stopped() {
				t.takeTurns()
			}
			t.handleTurn()
		}
	}
}

// takeTurns adds all that wait, up to a death, since others may learn of the
// next one before it has been handled. A thread stands still until its report is
// handled, so it comes twice only if it is killed.
func (t *Tracer) takeTurns() {
	for {
		var status uint32
		tid, errno := t.wait(&status, unix.WNOHANG)
		switch {
		case errno == unix.EINTR:
		case errno != 0, tid == 0:
			return
		default:
			t.turn = append(t.turn, report{tid, status})
			if !unix.WaitStatus(status).Stopped() {
				return
			}
		}
	}
}

// handleTurn handles what is in turn. What one of them needs may be among those
// behind it: then it handles these before it goes on.
func (t *Tracer) handleTurn() {
	for t.at < len(t.turn) {
		r := t.turn[t.at]
		t.at++
		t.handle(r)
	}
	t.turn, t.at = t.turn[:0], 0
}

func (t *Tracer) handle(r report) {
	if unix.WaitStatus(r.status).Stopped() {
		t.heap.stop()
		t.stopped(r.tid, r.status)
	} else {
		t.unreported(r.tid, r.status)
		t.ended(r.tid, r.status)
	}
}

// unreported ends a thread that was killed when it had the tid of its leader
// already, but had not stopped for its exec yet: nobody tells of the one that it
// had before. For the death of a leader is reported when all others of its process
// have been collected (kernel/exit.c, delay_group_leader).
func (t *Tracer) unreported(tid int, status uint32) {
	leader := t.table.get(tid)
	if leader == nil || leader.proc.pid != tid || leader.proc.threads == 1 {
		return
	}
	for _, th := range t.table.threads {
		if th.proc == leader.proc && th != leader {
			t.procExit(th, status)
			t.table.remove(th)
		}
	}
}

// eventOf is the PTRACE_EVENT_* of a stop, 0 for one without.
func eventOf(status uint32) int { return int(status >> 16) }

// signalOf is the signal of a stop.
func signalOf(status uint32) int { return int(status >> 8 & 0xff) }

// callStop is the signal of the stops of PTRACE_SYSCALL (PTRACE_O_TRACESYSGOOD).
const callStop = int(unix.SIGTRAP) | 0x80

// stopped handles one stop. Every path lets the thread go on, or parks it.
func (t *Tracer) stopped(tid int, status uint32) {
	event := eventOf(status)
	if event == unix.PTRACE_EVENT_EXEC {
		t.executed(tid)
		return
	}
	th := t.table.get(tid)
	if th == nil {
		t.births.park(t, tid, status)
		return
	}
	th.turned(event, signalOf(status))
	th.proc.mem.still = tid
	if th.seized {
		t.settled(th, status)
	}
	switch event {
	case unix.PTRACE_EVENT_SECCOMP:
		t.enter(th)
	case unix.PTRACE_EVENT_CLONE, unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK:
		t.cloned(th, event)
	case unix.PTRACE_EVENT_EXIT:
		t.exiting(th)
	case unix.PTRACE_EVENT_STOP:
		t.eventStop(th, signalOf(status))
	case 0:
		if sig := signalOf(status); sig == callStop && t.every {
			t.called(th)
		} else if sig == callStop {
			t.exit(th)
		} else {
			t.signal(th, sig)
		}
	default:
		t.resume(th, unix.PTRACE_CONT, 0)
	}
}

// eventStop is the first stop of a new thread, the end of a group-stop, or a
// group-stop, in which the thread has to stay until a SIGCONT.
func (t *Tracer) eventStop(th *thread, sig int) {
	if th.fresh {
		t.withoutExitStop(th)
	}
	t.giveBack(th)
	t.bind(th)
	switch unix.Signal(sig) {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		hasEnded(th)
		t.sure(th)
		th.asked = false
		t.resume(th, unix.PTRACE_LISTEN, 0)
	default:
		if th.asked {
			th.asked = false
			t.robbed(th)
		}
		t.resume(th, unix.PTRACE_CONT, 0)
	}
}

// signal passes a signal on. The kernel has its siginfo and delivers that.
func (t *Tracer) signal(th *thread, sig int) {
	if th.stepping {
		th.stepping = false
		if sig == int(unix.SIGTRAP) && t.handlerStop(th) {
			t.resume(th, unix.PTRACE_CONT, 0)
			return
		}
	}
	if th.proc.vpid == 1 && t.toInit(th, sig) {
		return
	}
	th.proc.signals++
	t.disturbed(th, sig)
	request := unix.PTRACE_CONT
	if len(th.interrupted) > 0 && t.caught(th, sig) {
		if t.every && !th.proc.filtered {
			t.handled(th)
		} else {
			// The frame of the handler will tell whether the call goes on.
			th.stepping, request = true, unix.PTRACE_SINGLESTEP
		}
	}
	t.resume(th, request, sig)
}

// ended handles the death of a thread.
func (t *Tracer) ended(tid int, status uint32) {
	th := t.table.get(tid)
	if th == nil {
		t.births.died(tid, status)
		return
	}
	creating := th.creating()
	th.collected = true
	t.procExit(th, status)
	t.pin.died(tid, th.proc.maker)
	t.table.remove(th)
	if th.proc.threads == 0 {
		t.orphan(th.proc)
		if up := th.proc.up; up != nil && up.root {
			t.childGone()
		}
	}
	if th.proc.root && th.proc.live == 0 {
		t.adoptNoMore()
	}
	switch {
	case tid == t.rootPID:
		t.rootEnded()
	case th.proc.root && th.proc.live == 0 && !t.holding: // the leader has stopped before
		t.summarize()
		t.conclude(false)
	}
	if creating {
		t.births.bereave(t)
	}
}
