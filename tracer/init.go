package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// The first process of a pid namespace does not get signals that it has no
// handler for. For one that is traced the kernel does two things differently
// (kernel/signal.c), which are undone here:
//
//   - A SIGSTOP of its own namespace stops it. Natively only one from outside
//     does, which names no sender. Any signal wakes it: see ignored.go.
//   - A fault without a handler does not end it: it would fault for ever. So
//     the thread is let go of, and at the same instruction faults natively.

// toInit handles a signal for a thread of such a process. It returns false if
// the signal is to be passed on as for any other.
func (t *Tracer) toInit(th *thread, sig int) bool {
	var info sys.SigInfo
	if info.Get(th.tid) != 0 {
		return false
	}
	switch unix.Signal(sig) {
	case unix.SIGSTOP:
		if info.Code > 0 || info.PID == 0 {
			return false
		}
		if endedByEINTR(th) {
			t.goesOn(th)
		}
		t.sure(th)
		t.resume(th, unix.PTRACE_CONT, 0)
		return true
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS:
		if info.Code <= 0 || t.caught(th, sig) {
			return false
		}
		t.faulted(th, sig)
		return true
	}
	return false
}

// faulted ends the first process of a pid namespace by the fault of a thread.
func (t *Tracer) faulted(th *thread, sig int) {
	const core = 0x80
	status := uint32(sig)
	var limit unix.Rlimit
	if unix.Prlimit(th.proc.pid, unix.RLIMIT_CORE, nil, &limit) == nil && limit.Cur > 0 {
		status |= core
	}
	if th.proc.root {
		t.heldStatus = status
		t.summarize()
		t.drain(th, unix.PTRACE_DETACH)
		return
	}
	t.resume(th, unix.PTRACE_DETACH, 0)
	t.ended(th.tid, status) // nobody reports it to us
}
