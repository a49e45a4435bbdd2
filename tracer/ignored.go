package tracer

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// A signal that a process ignores wakes none of its threads, unless they are
// traced: then they stop for it, and a call that any signal ends (signal(7):
// epoll_wait, sigtimedwait, semop, a receive with a timeout...) has ended with
// EINTR by then, which natively it would not. So at that stop the call is made
// to begin again. Its timeout, if it has one, begins again too.
//
// Until the stop nobody knows which signal it was: a call that is recorded and
// ends with EINTR is unsure, and its exit half waits for the next stop.

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
	if !th.halted && endedByEINTR(th) && t.ignores(th, sig) && callAgain(th) && th.unsure {
		th.unsure = false
		th.call.ret = restartNoHandler
		t.interrupt(th)
	}
	t.sure(th)
	th.halted = halts(sig)
}

// halts reports whether a signal may stop a process, which ends calls natively.
func halts(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

// ignores reports whether the process of th ignores sig.
func (t *Tracer) ignores(th *thread, sig int) bool {
	status := t.proc.read(th.tid, "status")
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
