package tracer

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// A call may set the priority of a process, of those of a group or of those of a user.
// The first is refused if that is the tracer, and so is its own group. Among the others
// it may be, too, and natively is not: it takes back what it had, if the kernel lets it.

// priorities are those of the tracer: for CPUs, and for files.
type priorities struct{ nice, io int }

// ioprioProcess is the first of IOPRIO_WHO_* (include/uapi/linux/ioprio.h), which come
// in the order of PRIO_*.
const ioprioProcess = 1

// prioritized is whose priority a call sets: PRIO_*.
func (c *call) prioritized() int {
	which := int(int32(c.args[0]))
	if syscalls.Calls[c.spec.index].Name == "ioprio_set" {
		which -= ioprioProcess
	}
	return which
}

// prioritizes reports whether the call of th is about the tracer alone.
func (t *Tracer) prioritizes(th *thread) bool {
	switch th.call.prioritized() {
	case unix.PRIO_PROCESS:
		return t.itself(th, th.call.args[1])
	case unix.PRIO_PGRP:
		return !t.attached && t.itself(th, th.call.args[1])
	}
	return false
}

// keepPriorities notes, at the entry of the call of th, what the tracer has now.
func (t *Tracer) keepPriorities(th *thread) {
	c := &th.call
	if c.prioritized() == unix.PRIO_PROCESS {
		return
	}
	for _, other := range t.table.threads {
		if other.inCall && other.call.many {
			c.many = true // what was before that
			return
		}
	}
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	io, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_GET, ioprioProcess, 0, 0)
	if err != nil || errno != 0 {
		return
	}
	c.many, t.priorities = true, priorities{20 - raw, int(io)}
}

// takePriorities gives all threads of the tracer what it had, at the end of a call.
func (t *Tracer) takePriorities(c *call) {
	if !c.many {
		return
	}
	c.many = false
	for _, tid := range tids(os.Getpid()) {
		_ = unix.Setpriority(unix.PRIO_PROCESS, tid, t.priorities.nice)
		_, _, _ = unix.RawSyscall(unix.SYS_IOPRIO_SET, ioprioProcess, uintptr(tid), uintptr(t.priorities.io))
	}
}
