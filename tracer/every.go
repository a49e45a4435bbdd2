package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// Without a filter all threads stop at every call, before and after it, and the
// tracer leaves out what nobody asked for. A thread may have been seized in the
// middle of a call; which half a stop is the kernel tells, or see callinfo.go.
//
// No thread is single-stepped then. A tracer that dies takes nobody along here,
// and a step that was not yet asked for would end the program.

// called handles a stop of PTRACE_SYSCALL.
func (t *Tracer) called(th *thread) {
	if !t.read(th) {
		t.resume(th, unix.PTRACE_CONT, 0)
		return
	}
	if t.in.Op == sys.SyscallExit {
		th.stood = false
	}
	if th.injection != nil {
		t.injected(th)
		return
	}
	switch t.in.Op {
	case sys.SyscallEntry:
		if t.inject(th) {
			return
		}
		t.bind(th)
		th.stood = true
		th.cut = false
		t.sure(th)
		if t.wants() {
			t.enters(th)
			return
		}
	case sys.SyscallExit:
		t.alarmed(th)
		if th.inCall {
			t.exits(th)
		}
		if len(th.interrupted) > 0 {
			t.returned(th)
		}
	default:
		return // as in enter
	}
	t.resume(th, unix.PTRACE_CONT, 0)
}

// stoodBefore handles the seccomp stop of a call at whose entry th has stopped
// already: the filter is one of its own, or has just come.
func (t *Tracer) stoodBefore(th *thread) {
	if t.foreign() {
		skipCall(th.tid, -int64(unix.ENOSYS)) // as in enters
	} else {
		th.proc.filtered = true
		t.bind(th)
	}
	t.resume(th, unix.PTRACE_SYSCALL, 0)
}

// wants reports whether a filter would have stopped at the call in t.in.
func (t *Tracer) wants() bool {
	s := t.specs.lookup(number(t.in.Arch, t.in.Words[0]))
	return !t.parting && (s.report || s.refused || s.kind != kindPlain || s.fold != foldNone)
}

// handled is called when a handler of th is about to run. If that ends the call
// in which th is, its result is known now; whether a read or a wait goes on
// depends on the handler.
func (t *Tracer) handled(th *thread) {
	last := len(th.interrupted) - 1
	if !th.cut {
		return
	}
	th.cut = false
	switch th.interrupted[last].ret {
	case restartNoHandler, restartRestartBlock:
		t.endInterrupted(th)
	}
}

// returned is called at the exit of a call of th while others are interrupted.
// A return from a handler is a call too, and shows what became of the one that
// the signal has interrupted: at the same place it has ended with EINTR.
func (t *Tracer) returned(th *thread) {
	c := &th.interrupted[len(th.interrupted)-1]
	if int64(t.in.Words[0]) == -int64(unix.EINTR) && t.in.IP == c.ip && t.in.SP == c.sp && !th.inCall {
		t.sure(th) // the return itself
		t.endInterrupted(th)
	}
}
