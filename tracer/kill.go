package tracer

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
)

// A kill of all processes with a signal that nobody can ignore would hit the
// tracer, and with it the command, which without us survives what it has sent.
// So the tracer carries it out, on all but itself.

// killsAll reports whether the call of th is such a kill and the kernel would
// let it reach the tracer.
func (t *Tracer) killsAll(th *thread) bool {
	c := &th.call
	sig := unix.Signal(c.args[1])
	if int32(c.args[0]) != -1 || sig != unix.SIGKILL && sig != unix.SIGSTOP {
		return false
	}
	if th.proc.nested {
		return false // all processes are those of its pid namespace
	}
	var sender, self procStatus
	return sender.read(th.proc.pid, &t.proc) && self.read(os.Getpid(), &t.proc) &&
		sender.maySignal(&self, th.proc.pid, os.Getpid())
}

// maySignal is the kernel's check_kill_permission (kernel/signal.c): s is what
// process from is, and to what process pid is.
func (s *procStatus) maySignal(to *procStatus, from, pid int) bool {
	if s.capEff>>unix.CAP_KILL&1 != 0 && governs(from, pid) {
		return true
	}
	return s.uid == to.savedUID || s.uid == to.realUID || s.realUID == to.savedUID || s.realUID == to.realUID
}

// governs reports whether capabilities of process from count for process pid:
// whether the user namespace of pid is that of from or below it.
func governs(from, pid int) bool {
	var own, at unix.Stat_t
	if unix.Stat(userNS(from), &own) != nil {
		return false
	}
	fd, err := unix.Open(userNS(pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == nil {
		err = unix.Fstat(fd, &at)
		if err == nil && at.Dev == own.Dev && at.Ino == own.Ino {
			unix.Close(fd)
			return true
		}
		parent, e := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		unix.Close(fd)
		fd, err = parent, e
	}
	return false
}

func userNS(pid int) string { return procPath(pid, "ns/user") }

// killAll does what the call of th asks for and gives it the result.
func (t *Tracer) killAll(th *thread) {
	sig := unix.Signal(th.call.args[1])
	var sender procStatus
	sender.read(th.proc.pid, &t.proc)
	result, self := -int64(unix.ESRCH), os.Getpid()
	root, _ := procfs.Root()
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 1 || pid == self || pid == th.proc.pid {
			continue
		}
		var to procStatus
		if !to.read(pid, &t.proc) || !sender.maySignal(&to, th.proc.pid, pid) {
			continue
		}
		if unix.Kill(pid, sig) == nil {
			result = 0
		}
	}
	skipCall(th.tid, result)
}
