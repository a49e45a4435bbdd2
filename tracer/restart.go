package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A call that a signal cuts short exits with a restart code, which the program
// never sees. Then one of these follows:
//
//   - No handler runs: the kernel issues the same call again, or
//     restart_syscall; either stops at the filter.
//   - A handler runs. When it is set up the kernel decides: the call is issued
//     again after the handler has returned, or its result is EINTR. Nothing
//     stops in the latter case, so the thread is stopped at the first
//     instruction of the handler, where the frame on its stack has the answer.
//
// Either way it is one logical call: one enter half and one exit half. While a
// handler runs other calls come in between.

// maxInterrupted bounds the calls of a thread that wait for their end. More
// can only be pending where handlers left with a jump: the oldest is given up.
const maxInterrupted = 8

// interrupt puts the call of th aside.
func (t *Tracer) interrupt(th *thread) {
	if len(th.interrupted) == maxInterrupted {
		copy(th.interrupted, th.interrupted[1:])
		th.interrupted = th.interrupted[:maxInterrupted-1]
	}
	th.interrupted = append(th.interrupted, th.call)
	th.cut = true
	th.call = call{fileFor: -1} // the buffers belong to the one put aside
}

// restarted reports whether th, which stops in a call that spec s describes
// and t.in holds, goes on with the call that was interrupted last, and makes
// that its call again.
func (t *Tracer) restarted(th *thread, s *spec) bool {
	last := len(th.interrupted) - 1
	c := &th.interrupted[last]
	switch {
	case s.kind == kindRestart && c.ret == restartRestartBlock:
	case c.nr == t.in.Words[0] && c.arch == t.in.Arch && c.sp == t.in.SP && c.ip == t.in.IP && c.args == [6]uint64(t.in.Words[1:7]):
	default:
		return false
	}
	th.call = *c
	th.interrupted = th.interrupted[:last]
	return true
}

// handlerStarts finishes the interrupted call if the frame of the handler says
// that it ends with EINTR. What cannot be read counts as going on.
func (t *Tracer) handlerStarts(th *thread) {
	last := len(th.interrupted) - 1
	if last < 0 || !t.read(th) {
		return
	}
	m := &th.proc.mem
	if narrow(t.in.Arch) {
		var b [4]byte
		at, ok := narrowFrameResult(m, t.in.SP)
		if ok && m.full(b[:], at) && int32(binary.LittleEndian.Uint32(b[:])) == -int32(unix.EINTR) {
			t.endInterrupted(th)
		}
		return
	}
	var b [8]byte
	if m.full(b[:], t.in.SP+frameResult) && int64(binary.LittleEndian.Uint64(b[:])) == -int64(unix.EINTR) {
		t.endInterrupted(th)
	}
}

// endInterrupted ends the call of th that was interrupted last with EINTR.
func (t *Tracer) endInterrupted(th *thread) {
	last := len(th.interrupted) - 1
	th.call = th.interrupted[last]
	th.interrupted = th.interrupted[:last]
	th.call.ret = -int64(unix.EINTR)
	t.finish(th)
}
