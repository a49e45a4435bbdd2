package tracer

import (
	"bytes"
	"encoding/binary"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// A tracee must not take hold of the tracer. One that attaches to it stops both for
// ever; one that kills the tracer of a command kills the command too, which natively
// would not even find somebody to kill. The kernel refuses most of it to whoever is
// not privileged: nobody looks into a process that is not dumpable. It checks no more
// than the user for signals and limits, and nothing at all for root.
//
// These are refused at the entry of the call, whose events tell of the attempt.
// What root does to a process by its files in /proc cannot be refused: the name of
// a file that a thread opens may change while it is looked at.

// guard ends the call at whose entry th stands if it would take hold of the tracer.
func (t *Tracer) guard(th *thread) {
	switch {
	case !t.assails(th):
	case t.attached:
		skipCall(th.tid, -int64(unix.EPERM))
	default:
		skipCall(th.tid, -int64(unix.ESRCH)) // natively there is no such process
	}
}

// assails reports whether the call of th would take hold of the tracer.
func (t *Tracer) assails(th *thread) bool {
	a := &th.call.args
	switch syscalls.Calls[th.call.spec.index].Name {
	case "ptrace":
		return (a[0] == unix.PTRACE_ATTACH || a[0] == unix.PTRACE_SEIZE) && t.itself(th, a[1])
	case "kill":
		return t.harms(a[1]) && (t.itself(th, a[0]) || t.itsGroup(th, -a[0]))
	case "tkill", "rt_sigqueueinfo":
		return t.harms(a[1]) && t.itself(th, a[0])
	case "tgkill", "rt_tgsigqueueinfo":
		return t.harms(a[2]) && t.itself(th, a[0])
	case "pidfd_send_signal":
		return t.harms(a[1]) && t.behind(th, int(int32(a[0])))
	case "prlimit64":
		return a[2] != 0 && t.itself(th, a[0])
	case "process_vm_writev", "sched_setaffinity", "sched_setattr", "sched_setscheduler", "sched_setparam":
		return t.itself(th, a[0])
	case "setpriority", "ioprio_set":
		return t.prioritizes(th)
	case "fcntl", "fcntl64":
		return t.signalled(th, uint32(a[1]), a[2])
	case "ioctl":
		return t.signalled(th, uint32(a[1]), a[2])
	}
	return false
}

// Commands that say who gets a signal when a descriptor is ready, by default SIGIO,
// but any other that F_SETSIG names: include/uapi/asm-generic/fcntl.h and sockios.h.
const (
	setOwner    = 8
	setOwnerEx  = 15
	fioSetOwner = 0x8901
	siocSetPgrp = 0x8902

	ownerGroup = 2 // F_OWNER_PGRP
)

// signalled reports whether a command of fcntl or ioctl has the tracer get the
// signals of a descriptor. No command of one has the number of one of the other.
func (t *Tracer) signalled(th *thread, command uint32, arg uint64) bool {
	var b [8]byte
	owner := int32(arg)
	switch command {
	case setOwner:
	case setOwnerEx:
		if !th.proc.mem.full(b[:], arg) {
			return false
		}
		owner = int32(binary.NativeEndian.Uint32(b[4:]))
		if binary.NativeEndian.Uint32(b[:4]) == ownerGroup {
			owner = -owner
		}
	case fioSetOwner, siocSetPgrp:
		if !th.proc.mem.full(b[:4], arg) {
			return false
		}
		owner = int32(binary.NativeEndian.Uint32(b[:4]))
	default:
		return false
	}
	return t.itself(th, uint64(owner)) || t.itsGroup(th, uint64(-owner))
}

// harms reports whether nobody can ignore a signal. Whoever has attached to running
// processes may be killed: that lets go of them.
func (t *Tracer) harms(sig uint64) bool {
	switch unix.Signal(uint32(sig)) {
	case unix.SIGKILL:
		return !t.attached
	case unix.SIGSTOP:
		return true
	}
	return false
}

// itself reports whether a number stands for a thread of the tracer, or of a process
// that it has started, where th is.
func (t *Tracer) itself(th *thread, pid uint64) bool {
	tid := int(int32(pid))
	return !th.proc.nested && tid > 0 && t.owns(tid)
}

// itsGroup is itself for a process group, which one that has attached leads or there is
// none: the kernel says so.
func (t *Tracer) itsGroup(th *thread, pgid uint64) bool {
	return (!t.attached || unix.Getpgrp() == os.Getpid()) && t.itself(th, pgid)
}

// behind reports whether descriptor fd of th is a pidfd of the tracer, or of a
// thread of it, or its directory in /proc, which sends signals as a pidfd does. Nobody
// in another pid namespace may do that by such a directory.
func (t *Tracer) behind(th *thread, fd int) bool {
	number := strconv.Itoa(fd)
	content := t.proc.read(th.tid, "fdinfo/"+number)
	_, rest, _ := bytes.Cut(content, []byte("\nPid:"))
	pid := int(decimal(field(rest, 0)))
	if pid == 0 && !th.proc.nested {
		name, _ := os.Readlink(procPath(th.tid, "fd/"+number))
		pid, _ = strconv.Atoi(path.Base(name))
	}
	return pid > 0 && t.owns(pid)
}

// owns reports whether a thread is one of the tracer or of a child of it. A tracee is
// none: it has the parent that it has without a tracer.
func (t *Tracer) owns(tid int) bool {
	if unix.Tgkill(os.Getpid(), tid, 0) == nil {
		return true
	}
	var st procStatus
	return st.read(tid, &t.proc) && st.ppid == os.Getpid()
}

// oneListener refuses a filter with a listener to a program where the filter of the
// tracer has none: it would outrank ours, and whatever it lets go on would not stop.
func (t *Tracer) oneListener(th *thread) {
	c := &th.call
	if filtered := !t.every || th.proc.filtered; filtered && !t.listening && uint32(c.args[0]) == unix.SECCOMP_SET_MODE_FILTER && c.args[1]&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 {
		skipCall(th.tid, -int64(unix.EBUSY)) // as where there is one
	}
}
