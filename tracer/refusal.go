package tracer

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
)

// AttachError is why a process or thread cannot be traced.
type AttachError struct {
	PID    int
	Reason string // the rule
	Err    error  // a unix.Errno
}

func (e *AttachError) Error() string { return fmt.Sprintf("process %d: %s", e.PID, e.Reason) }

func (e *AttachError) Unwrap() error { return e.Err }

// refusal finds out why the kernel refuses to let tid be traced: it says no more
// than EPERM, and checks in the order that is followed here (kernel/ptrace.c,
// ptrace_attach and __ptrace_may_access; security/commoncap.c; security/yama).
func (t *Tracer) refusal(tid int, errno unix.Errno) error {
	e := &AttachError{PID: tid, Reason: "not permitted: " + errno.Error(), Err: errno}
	var to, self procStatus
	self.read(os.Getpid(), &t.proc)
	capable := self.capEff>>unix.CAP_SYS_PTRACE&1 != 0
	const missing = ", and CAP_SYS_PTRACE is missing"
	switch found := to.read(tid, &t.proc); {
	case errno == unix.ESRCH && !found:
		e.Reason = "no such process"
		if err := unix.Kill(tid, 0); err == nil || errors.Is(err, unix.EPERM) {
			e.Reason = "not permitted: /proc does not show it (hidepid)"
		}
	case errno == unix.ESRCH, t.zombie(tid):
		e.Reason, e.Err = "it has ended", unix.ESRCH
	case to.tgid == os.Getpid():
		e.Reason = "it is the tracer itself"
	case to.tracer != 0:
		e.Reason = "already traced by " + t.named(to.tracer)
	case t.kernelThread(tid):
		e.Reason = "not permitted: it is a thread of the kernel"
	case errno == unix.EBUSY:
		e.Reason = "it executes a program, and does not come to an end of that"
	case errno != unix.EPERM:
	case ptraceForbidden():
		e.Reason = "not permitted: " + forbidden
	case !capable && self.stranger(&to) != "":
		e.Reason = "not permitted: " + self.stranger(&to) + missing
	case !capable && !dumpable(tid, &to):
		e.Reason = "not permitted: it hides its memory (PR_SET_DUMPABLE)" + missing
	case !capable && to.capPrm&^self.capPrm != 0:
		e.Reason = "not permitted: it has capabilities that pdig lacks" + missing
	case procfs.Yama() == 1 && !capable:
		e.Reason = "not permitted: Yama lets only ancestors trace (kernel.yama.ptrace_scope is 1)" + missing
	case procfs.Yama() == 2 && !capable:
		e.Reason = "not permitted: Yama lets only the administrator trace (kernel.yama.ptrace_scope is 2)" + missing
	case procfs.Yama() == 3:
		e.Reason = "not permitted: Yama lets nobody trace (kernel.yama.ptrace_scope is 3)"
	case capable && !governs(os.Getpid(), tid):
		e.Reason = "not permitted: it is in a user namespace that is not below that of pdig"
	default:
		e.Reason = "not permitted: by a security module, or it is traced from outside of the pid namespace"
	}
	return e
}

// forbidden is why nobody can be traced where [ptraceForbidden].
const forbidden = "the seccomp profile of pdig does not allow ptrace"

// ptraceForbidden reports whether a filter refuses ptrace whatever it is for: the
// kernel itself says of a process that is not traced that there is none.
func ptraceForbidden() bool {
	return sys.Ptrace(unix.PTRACE_CONT, os.Getpid(), 0, 0) == unix.EPERM
}

// stranger is what keeps s, with which it is asked, from tracing to as far as users
// and groups tell. All three of each count: a set-user-id program has the user's own
// number too, and whoever has changed only the user keeps a group of another.
func (s *procStatus) stranger(to *procStatus) string {
	for _, uid := range []uint32{to.realUID, to.uid, to.savedUID} {
		if uid != s.uid {
			return fmt.Sprintf("it belongs to another user (uid %d)", uid)
		}
	}
	for _, gid := range []uint32{to.realGID, to.gid, to.savedGID} {
		if gid != s.gid {
			return fmt.Sprintf("it has another group (gid %d)", gid)
		}
	}
	return ""
}

// dumpable reports whether a process lets others of its user look at it: if not
// its files in /proc belong to root.
func dumpable(pid int, s *procStatus) bool {
	var st unix.Stat_t
	return unix.Stat(procPath(pid, "stat"), &st) != nil || st.Uid == s.uid
}

// named is the process of a thread, with its name.
func (t *Tracer) named(tid int) string {
	var st procStatus
	if !st.read(tid, &t.proc) {
		return fmt.Sprintf("process %d", tid)
	}
	comm, _ := splitStat(t.proc.read(st.tgid, "stat"))
	return fmt.Sprintf("process %d (%q)", st.tgid, comm)
}

// zombie reports whether a thread has ended.
func (t *Tracer) zombie(tid int) bool {
	_, f := splitStat(t.proc.read(tid, "stat"))
	return len(f) == 0 || f[0][0] == 'Z' || f[0][0] == 'X'
}

// kernelThread reports whether tid is PF_KTHREAD of include/linux/sched.h.
func (t *Tracer) kernelThread(tid int) bool {
	const flags, kthread = 9, 0x200000
	_, f := splitStat(t.proc.read(tid, "stat"))
	return statField(f, flags)&kthread != 0
}
