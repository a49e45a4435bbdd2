package tracer

import (
	"iter"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
)

// A kill of all processes with a signal that nobody can ignore would hit the
// tracer, and with it the command, which without us survives what it has sent.
// And one with another signal would find somebody where natively nobody else is.
// So the tracer carries these out, on all but itself.

// killsAll reports whether the call of th is such a kill and the kernel would
// let it reach the tracer.
func (t *Tracer) killsAll(th *thread) bool {
	c := &th.call
	if int32(c.args[0]) != -1 {
		return false
	}
	if th.proc.nested {
		return false // all processes are those of its pid namespace
	}
	var sender, self procStatus
	if !sender.read(th.proc.pid, &t.proc) || !self.read(os.Getpid(), &t.proc) ||
		!sender.maySignal(&self, th.proc.pid, os.Getpid()) {
		return false
	}
	switch unix.Signal(c.args[1]) {
	case unix.SIGKILL, unix.SIGSTOP:
		return true
	}
	for range t.others(th) {
		return false
	}
	return true
}

// others are all processes that a kill by th would reach but the tracer and those
// that it has started.
func (t *Tracer) others(th *thread) iter.Seq[int] {
	return func(yield func(int) bool) {
		var sender procStatus
		sender.read(th.proc.pid, &t.proc)
		root, _ := procfs.Root()
		entries, _ := os.ReadDir(root)
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid <= 1 || pid == os.Getpid() || pid == th.proc.pid {
				continue
			}
			var to procStatus
			if to.read(pid, &t.proc) && to.ppid != os.Getpid() && sender.maySignal(&to, th.proc.pid, pid) && !yield(pid) {
				return
			}
		}
	}
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
	result := -int64(unix.ESRCH)
	for pid := range t.others(th) {
		if unix.Kill(pid, unix.Signal(th.call.args[1])) == nil {
			result = 0
		}
	}
	skipCall(th.tid, result)
}
