package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/tracer/seccomp"
)

const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL

// untried is what is known before the first trial.
func untried() Tracing {
	return Tracing{
		Child: Untried, Options: Untried, Seize: Untried, Stop: Untried, Sibling: Untried, Hidden: Untried,
		Filter: Untried, FilterNNP: Untried, FilterStop: Untried, Listener: Untried, CallInfo: Untried,
		ReadV: Untried, MemoryFile: Untried, Peek: Untried, PidfdOpen: Untried, PidfdGetfd: Untried,
	}
}

// examineTracing tries what a tracer does.
// Preconditions: the goroutine is locked to its thread.
func examineTracing() Tracing {
	t := untried()
	for _, try := range []func(*subject, *Tracing){tryChild, trySeized, tryFilter, tryListener, trySibling, tryPidfd} {
		s, err := newSubject()
		if err != nil {
			t.Child = outcomeOf(err)
			return t
		}
		try(s, &t)
		s.end()
	}
	return t
}

// outcomeOf is the outcome of a trial with an error of the kernel.
func outcomeOf(err error) Outcome {
	var errno unix.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		return outcome(errno)
	}
	return Silent
}

func tryChild(s *subject, t *Tracing) {
	_, errno := s.call(unix.SYS_PTRACE, unix.PTRACE_TRACEME)
	if t.Child = outcome(errno); errno != 0 {
		return
	}
	s.begin(unix.SYS_KILL, uintptr(s.pid), uintptr(unix.SIGSTOP))
	if _, err := s.stopped(); err != nil {
		t.Child = outcomeOf(err)
		return
	}
	t.Options = outcome(sys.Ptrace(unix.PTRACE_SETOPTIONS, s.pid, 0, options))
}

// trySeized seizes a child as attach does, and reads its memory while it stands.
func trySeized(s *subject, t *Tracing) {
	if t.Seize = outcome(sys.Ptrace(unix.PTRACE_SEIZE, s.pid, 0, options)); !t.Seize.OK() {
		return
	}
	if t.Stop = outcome(sys.Ptrace(unix.PTRACE_INTERRUPT, s.pid, 0, 0)); !t.Stop.OK() {
		return
	}
	ws, err := s.stopped()
	if err == nil && uint32(ws)>>16 != unix.PTRACE_EVENT_STOP {
		err = errSilent
	}
	if t.Stop = outcomeOf(err); err != nil {
		return
	}
	var info sys.SyscallInfo
	t.CallInfo = outcome(info.Get(s.pid))
	t.ReadV = reads(func(b []byte) unix.Errno {
		_, errno := sys.ReadProcess(s.pid, b, s.markAddress())
		return errno
	})
	t.Peek = reads(func(b []byte) unix.Errno {
		sys.Peek(s.pid, b, s.markAddress())
		return 0
	})
	proc, _ := procfs.Root()
	fd, err := unix.Open(fmt.Sprintf("%s/%d/mem", proc, s.pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if t.MemoryFile = outcomeOf(err); err != nil {
		return
	}
	defer unix.Close(fd)
	t.MemoryFile = reads(func(b []byte) unix.Errno {
		_, errno := sys.Pread(fd, b, s.markAddress())
		return errno
	})
}

// reads is what comes of reading the mark of a subject.
func reads(read func([]byte) unix.Errno) Outcome {
	var b [8]byte
	if errno := read(b[:]); errno != 0 {
		return outcome(errno)
	}
	if binary.NativeEndian.Uint64(b[:]) != markValue {
		return Silent
	}
	return 0
}

// machine is AUDIT_ARCH_* of this program.
func machine() uint32 {
	if runtime.GOARCH == "arm64" {
		return unix.AUDIT_ARCH_AARCH64
	}
	return unix.AUDIT_ARCH_X86_64
}

// filter traces getppid, which the subject makes for that only.
func filter() []unix.SockFilter {
	f, _ := seccomp.Assemble([]seccomp.Set{{Arch: machine(), Calls: []uint32{unix.SYS_GETPPID}}}, 1)
	return f
}

// give gives a subject a filter, in one of two ways.
func give(s *subject, flags uintptr) (plain, nnp unix.Errno) {
	if _, plain = s.install(filter(), flags); plain == 0 {
		return 0, 0
	}
	if _, errno := s.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1); errno != 0 {
		return plain, errno
	}
	_, nnp = s.install(filter(), flags)
	return plain, nnp
}

func tryFilter(s *subject, t *Tracing) {
	plain, nnp := give(s, 0)
	t.Filter, t.FilterNNP = outcome(plain), outcome(nnp)
	if nnp != 0 || sys.Ptrace(unix.PTRACE_SEIZE, s.pid, 0, options) != 0 {
		return
	}
	s.begin(unix.SYS_GETPPID)
	ws, err := s.stopped()
	if err == nil && uint32(ws)>>16 != unix.PTRACE_EVENT_SECCOMP {
		err = errSilent
	}
	if t.FilterStop = outcomeOf(err); err != nil {
		return
	}
	var info sys.SyscallInfo
	if t.CallInfo = outcome(info.Get(s.pid)); t.CallInfo.OK() && (info.Op != sys.SyscallSeccomp || info.Words[0] != unix.SYS_GETPPID) {
		t.CallInfo = Silent
	}
	// The next stop is the end of the call, or its beginning before 4.8: then the
	// call is not over when it goes on.
	if sys.Ptrace(unix.PTRACE_SYSCALL, s.pid, 0, 0) != 0 {
		return
	}
	if _, err := s.stopped(); err != nil || sys.Ptrace(unix.PTRACE_SYSCALL, s.pid, 0, 0) != 0 {
		return
	}
	if _, errno := s.ended(); errno != 0 {
		t.EntryBefore = true
	}
}

func tryListener(s *subject, t *Tracing) {
	if t.FilterNNP.OK() {
		_, errno := give(s, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
		t.Listener = outcome(errno)
	}
}

// trySibling has one subject seize another, as one process of a user does with
// another that is not its child.
func trySibling(s *subject, t *Tracing) {
	other, err := newSubject()
	if err != nil {
		return
	}
	defer func() {
		s.end()
		other.end()
	}()
	_, errno := s.call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(other.pid), 0, 0)
	t.Sibling = outcome(errno)
	hidden, err := newSubject()
	if err != nil {
		return
	}
	defer hidden.end()
	defer s.end()
	if _, errno := hidden.call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0); errno == 0 {
		_, errno = s.call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(hidden.pid), 0, 0)
		t.Hidden = outcome(errno)
	}
}

// tryPidfd fetches a descriptor, which both have.
func tryPidfd(s *subject, t *Tracing) {
	fd, err := unix.PidfdOpen(s.pid, 0)
	if t.PidfdOpen = outcomeOf(err); err != nil {
		return
	}
	defer unix.Close(fd)
	opened, errno := s.call(unix.SYS_EPOLL_CREATE1, unix.EPOLL_CLOEXEC)
	if errno != 0 {
		return
	}
	got, err := unix.PidfdGetfd(fd, int(opened), 0)
	if t.PidfdGetfd = outcomeOf(err); err == nil {
		unix.Close(got)
	}
}
