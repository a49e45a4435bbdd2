package tracer

import "golang.org/x/sys/unix"

// A filter of the program's own may answer a call by SIGSYS (SECCOMP_RET_TRAP). Without
// a filter of ours the call stops at its entry and its end, but is not carried out: the
// kernel gives th the registers of the entry back (kernel/seccomp.c, syscall_rollback),
// and what stands in the place of the result is on amd64 the number of the call, on arm64
// its first argument. That would be told as an open with a descriptor that nobody has.

// trapped reports whether the call at whose end th stands was answered so: the signal
// is for that thread alone, and it has not taken it yet.
func (t *Tracer) trapped(th *thread) bool {
	return t.every && th.call.ret == rolledBack(&th.call) && signalIn(t.proc.read(th.tid, "status"), "\nSigPnd:\t", int(unix.SIGSYS))
}
