package tracer

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// A signal that a process ignores wakes none of its threads, unless they are
// traced: then they stop for it, and a call that any signal ends (signal(7):
// epoll_wait, sigtimedwait, semop, a receive with a timeout...) has ended with
// EINTR by then, which natively it would not. So at that stop the call is made
// to begin again. Its timeout, if it has one, begins again too.
//
// Until the stop nobody knows which signal it was: a call that is recorded and
// ends with EINTR is unsure, and its exit half waits for the next stop.

// Any thread of a process takes a signal that is for all of them. So the call of
// one may have been ended by a signal that another has taken since, mostly one
// that was at a stop when the signal came and would have been chosen natively.
// Then it does not stop for a signal at all. Where the ends of its calls stop it
// is asked for another stop, at which it is known whether one is there. A call
// that goes on ending so, with no signal for its process, does it of itself.

// maxAgain is how often such a call begins again: who has taken the signal may stop
// later.
const maxAgain = 4

// alarmed asks for that stop if th, of many, stands at the end of a call with
// EINTR.
func (t *Tracer) alarmed(th *thread) {
	if int64(t.in.Words[0]) != -int64(unix.EINTR) || th.heard != th.proc.signals {
		th.again, th.heard = 0, th.proc.signals
	}
	if int64(t.in.Words[0]) == -int64(unix.EINTR) && th.proc.threads > 1 && th.again < maxAgain {
		th.asked = sys.Ptrace(unix.PTRACE_INTERRUPT, th.tid, 0, 0) == 0
	}
}

// robbed is called at that stop.
func (t *Tracer) robbed(th *thread) {
	if !endedByEINTR(th) || t.noticed(th) || !undisturb(th, false) {
		return
	}
	th.again++
	if th.unsure {
		th.unsure = false
		th.call.ret = restartNoHandler
		t.interrupt(th)
	}
}

// noticed reports whether th has a signal to take that is not ignored.
func (t *Tracer) noticed(th *thread) bool {
	status := t.proc.read(th.tid, "status")
	for sig := 1; sig <= 64; sig++ {
		if (signalIn(status, "\nSigPnd:\t", sig) || signalIn(status, "\nShdPnd:\t", sig)) &&
			!signalIn(status, "\nSigBlk:\t", sig) && !th.proc.ignores(status, sig) {
			return true
		}
	}
	return false
}

// sure settles what a call of th was that has ended with EINTR: with a signal
// that was noticed, or without one at all.
func (t *Tracer) sure(th *thread) {
	if th.unsure {
		th.unsure = false
		t.finish(th)
	}
}

// disturbed is called when th stops for a signal. If th would not have noticed
// it natively, it does not now.
func (t *Tracer) disturbed(th *thread, sig int) {
	if endedByEINTR(th) {
		if th.proc.ignores(t.proc.read(th.tid, "status"), sig) {
			t.goesOn(th)
		} else if halts(sig) {
			hasEnded(th)
		}
	} else if beginsAgain(th) && t.caught(th, sig) {
		callEnds(th) // this one th notices
	}
	t.sure(th)
}

// goesOn makes the call of th begin again that a signal has ended which th would not
// have noticed.
func (t *Tracer) goesOn(th *thread) {
	if callAgain(th) && th.unsure {
		th.unsure = false
		th.call.ret = restartNoHandler
		t.interrupt(th)
	}
}

// halts reports whether a signal may stop a process, which ends calls natively.
func halts(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

// ignores reports whether a process with that status ignores sig. The first of a pid
// namespace ignores all that it has no handler for, but for a SIGSTOP from outside.
func (p *process) ignores(status []byte, sig int) bool {
	if p.vpid == 1 && unix.Signal(sig) != unix.SIGSTOP {
		return !signalIn(status, "\nSigCgt:\t", sig)
	}
	if signalIn(status, "\nSigIgn:\t", sig) {
		return true
	}
	switch unix.Signal(sig) {
	case unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH:
		return !signalIn(status, "\nSigCgt:\t", sig)
	}
	return false
}

// caught reports whether the process of th has a handler for sig.
func (t *Tracer) caught(th *thread, sig int) bool {
	return signalIn(t.proc.read(th.tid, "status"), "\nSigCgt:\t", sig)
}

// signalIn reports whether sig is in the set of that name of /proc/PID/status.
func signalIn(status []byte, name string, sig int) bool {
	_, rest, _ := bytes.Cut(status, []byte(name))
	set, err := strconv.ParseUint(string(rest[:min(len(rest), 16)]), 16, 64)
	return err == nil && sig > 0 && set>>(sig-1)&1 != 0
}
