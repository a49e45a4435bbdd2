package tracer

import (
	"time"

	"golang.org/x/sys/unix"
)

// startOf is when a process was started: ns since boot.
func startOf(pid int, b *procBuffer) uint64 {
	const starttime = 22
	_, f := splitStat(b.read(pid, "stat"))
	return statField(f, starttime) * uint64(time.Second/userHZ)
}

// namespaceStart is when the first process of the tracer's pid namespace was
// started.
func namespaceStart(b *procBuffer) uint64 { return startOf(1, b) }

// bootTime is the time since boot in ns.
func bootTime() uint64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return uint64(ts.Nano())
}

// initStart is when the first process of the pid namespace of p was started, 0 if
// that is not known. tid is one of its threads.
func (t *Tracer) initStart(p *process, tid int) uint64 {
	if !p.nested {
		return namespaceStart(&t.proc)
	}
	pid := initOf(tid, &t.proc)
	if pid == 0 {
		return 0
	}
	if leader := t.table.get(pid); leader != nil {
		return leader.proc.nsStart // which is more precise
	}
	return startOf(pid, &t.proc)
}

// initOf is the pid of the first process of the namespace of tid, or 0. Before Linux
// 6.11 it is looked for among the ancestors, where it is not for who has entered the
// namespace from outside.
func initOf(tid int, b *procBuffer) int {
	const getFromPIDNS = 0x8004b707 // NS_GET_TGID_FROM_PIDNS
	if fd, err := unix.Open(procPath(tid, "ns/pid"), unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		defer unix.Close(fd)
		if pid, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), getFromPIDNS, 1); errno == 0 {
			return int(pid)
		}
	}
	var own, its unix.Stat_t
	if unix.Stat(procPath(tid, "ns/pid"), &own) != nil {
		return 0
	}
	const most = 1000 // ancestors
	for range most {
		var s procStatus
		if !s.read(tid, b) || unix.Stat(procPath(tid, "ns/pid"), &its) != nil || its.Ino != own.Ino {
			return 0
		}
		if s.vpid() == 1 {
			return s.tgid
		}
		tid = s.ppid
	}
	return 0
}

// sendsChildren reports whether children of a thread will be in another pid
// namespace, or unknown. There is no link to one that has no process yet.
func sendsChildren(tid int, unknown bool) bool {
	const link = "ns/pid_for_children"
	var own, children unix.Stat_t
	if unix.Stat(procPath(tid, "ns/pid"), &own) != nil {
		return unknown
	}
	switch unix.Stat(procPath(tid, link), &children) {
	case nil:
		return own.Ino != children.Ino
	case unix.ENOENT:
		if unix.Stat("/proc/self/"+link, &children) == nil { // else it is before 4.12
			return true
		}
	}
	return unknown
}

// enteredSpaces is for after an unshare or setns of thread tid. With another user
// namespace it has other capabilities.
func (p *process) enteredSpaces(tid int, b *procBuffer) {
	p.apart = sendsChildren(tid, true)
	p.childNested = p.nested || p.apart
	p.refreshCreds(b)
}
