package tracer

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// sockets asks the kernel about sockets of a process, through a copy of the
// descriptor. Where that is not allowed the arguments of the calls have to do.
//
// Nearly all threads share the descriptors of their leader. But each can have got a
// table of its own (unshare, close_range, clone), where the same number is something
// else, and one that has ended has none. So what is copied comes from a thread that
// has the table of the one that has made the call.
type sockets struct {
	pidfd   int    // one more than the descriptor; 0: not opened
	tid     int    // whose it is
	opened  uint32 // how often there was another one
	split   bool   // a thread has, or will have, a table of its own
	refused bool
}

// From include/uapi/linux: pidfd.h and kcmp.h.
const (
	pidfdThread = unix.O_EXCL // PIDFD_THREAD, Linux 6.9
	kcmpFiles   = 2           // KCMP_FILES
)

func (s *sockets) close() {
	if s.pidfd > 0 {
		unix.Close(s.pidfd - 1)
	}
	s.pidfd = 0
}

// copyOf returns a copy of descriptor fd of th, which the caller closes. The error
// is EBADF if there is no such descriptor. After any other one a copy may be had
// another time, unless it is refused.
func (s *sockets) copyOf(th *thread, fd int) (int, error) {
	if fd < 0 {
		return -1, unix.EBADF
	}
	for again := false; !s.refused; again = true {
		err := s.reach(th, fd)
		if err != nil {
			s.refused = refusal(err)
			return -1, err
		}
		n, err := unix.PidfdGetfd(s.pidfd-1, fd, 0)
		switch {
		case err == nil:
			return n, nil
		case again:
		case errors.Is(err, unix.ESRCH):
			s.close() // of a thread that has ended, whose number another one may have
			continue
		case errors.Is(err, unix.EBADF) && s.tid != th.tid:
			th.table = 0 // that one may have ended
			continue
		}
		s.refused = refusal(err)
		return -1, err
	}
	return -1, unix.EPERM
}

// refusal reports whether an error will be that of every other try.
func refusal(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS)
}

// reach makes s.pidfd one of a thread with the table of th, to copy descriptor fd: at
// first of the leader, since before Linux 6.9 others have none.
func (s *sockets) reach(th *thread, fd int) error {
	leader := th.proc.pid
	if s.pidfd == 0 {
		if err := s.open(leader, 0); err != nil {
			return err
		}
	}
	switch {
	case s.tid == th.tid, th.table == s.opened, s.shares(th, fd):
		return nil
	case th.tid == leader:
		return s.open(leader, 0)
	}
	return s.open(th.tid, pidfdThread)
}

func (s *sockets) open(tid, flags int) error {
	n, err := unix.PidfdOpen(tid, flags)
	if err != nil {
		return err
	}
	s.close()
	s.pidfd, s.tid = n+1, tid
	s.opened++
	return nil
}

// shares reports whether the thread of s.pidfd has the table of th or, where that is
// not told, the same socket as descriptor fd.
func (s *sockets) shares(th *thread, fd int) bool {
	differs, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(s.tid), uintptr(th.tid), kcmpFiles, 0, 0, 0)
	switch {
	case refuses(errno): // in containers of podman and CRI-O
		its, errno := socketOf(s.tid, fd)
		if errno != 0 {
			return false
		}
		if own, errno := socketOf(th.tid, fd); errno != 0 || own != its {
			return false
		}
	case errno != 0 || differs != 0:
		return false
	}
	if !s.split {
		th.table = s.opened // until one of them gets another
	}
	return true
}

// splits notes, at the entry of a call, that a thread may get a table of its own: who
// has had the same needs to look again, each time, for that takes effect before the end
// of the call is seen.
func (t *Tracer) splits(th *thread) {
	c, s := &th.call, &th.proc.sockets
	apart := false
	switch syscalls.Calls[c.spec.index].Name {
	case "unshare":
		apart = th.proc.threads > 1 && c.args[0]&unix.CLONE_FILES != 0
	case "close_range":
		apart = th.proc.threads > 1 && c.args[2]&unix.CLOSE_RANGE_UNSHARE != 0
	case "clone", "clone3":
		apart = c.flags&(unix.CLONE_THREAD|unix.CLONE_FILES) == unix.CLONE_THREAD
	}
	if apart && !s.split {
		s.split = true
		s.close()
	}
}
