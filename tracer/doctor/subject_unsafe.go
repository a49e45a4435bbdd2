package doctor

import (
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// subject is a child of the doctor that does nothing but the system calls that it
// is told to make. It is a copy of the doctor, not a program, of which there may
// be none here. After the clone it stays in one function and uses neither the heap
// nor the scheduler of the runtime, which has no other threads there.
type subject struct {
	*desk
	pid  int
	over bool
}

// desk is the memory that a subject shares with the doctor, at the same address.
type desk struct {
	turn   atomic.Uint32 // odd: there is a call to be made
	nr     uintptr
	args   [6]uintptr
	result uintptr
	errno  uintptr

	mark   uint64 // for who reads memory
	prog   unix.SockFprog
	filter [64]unix.SockFilter
}

// errSilent means that a subject does not answer.
var errSilent = errors.New("no answer")

// patience is how long a subject is waited for.
const patience = 10 * time.Second

// newSubject makes a subject, which ends with the calling thread.
func newSubject() (*subject, error) {
	b, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(desk{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	d := (*desk)(unsafe.Pointer(unsafe.SliceData(b)))
	d.mark = markValue
	// A handler of the runtime must not run in the copy.
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return nil, err
	}
	pid, errno := fork(d)
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	if errno != 0 {
		return nil, errno
	}
	s := &subject{desk: d, pid: int(pid)}
	if _, errno := s.call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)); errno != 0 {
		s.end()
		return nil, errno
	}
	return s, nil
}

const markValue = 0x6b72616d67696470

// fork returns in the doctor only.
//
//go:norace
//go:noinline
func fork(d *desk) (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		obey(d)
	}
	return pid, errno
}

// obey is the life of a subject. The stack may not grow any more.
//
//go:norace
//go:nosplit
func obey(d *desk) {
	for {
		turn := d.turn.Load()
		if turn&1 == 0 {
			_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&d.turn)), 0, uintptr(turn), 0, 0, 0)
			continue
		}
		r, _, errno := unix.RawSyscall6(d.nr, d.args[0], d.args[1], d.args[2], d.args[3], d.args[4], d.args[5])
		d.result, d.errno = r, uintptr(errno)
		d.turn.Store(turn + 1)
	}
}

// begin has the subject make a call.
func (s *subject) begin(nr uintptr, args ...uintptr) {
	s.nr, s.args = nr, [6]uintptr{}
	copy(s.args[:], args)
	s.turn.Add(1)
	sys.FutexWake(&s.turn, 1)
}

// ended waits for the end of that call.
func (s *subject) ended() (uintptr, unix.Errno) {
	for end := time.Now().Add(patience); s.turn.Load()&1 != 0; time.Sleep(50 * time.Microsecond) {
		if time.Now().After(end) {
			return 0, unix.ETIMEDOUT
		}
	}
	return s.result, unix.Errno(s.errno)
}

// call is begin and ended, for a call at which nothing stops.
func (s *subject) call(nr uintptr, args ...uintptr) (uintptr, unix.Errno) {
	s.begin(nr, args...)
	return s.ended()
}

// install has the subject install a filter.
func (s *subject) install(filter []unix.SockFilter, flags uintptr) (uintptr, unix.Errno) {
	s.prog = unix.SockFprog{Len: uint16(copy(s.filter[:], filter)), Filter: &s.filter[0]}
	return s.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&s.prog)))
}

// markAddress is where the mark is in the subject.
func (s *subject) markAddress() uint64 { return uint64(uintptr(unsafe.Pointer(&s.mark))) }

// stopped waits until the subject, a tracee, stops.
func (s *subject) stopped() (unix.WaitStatus, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		var status uint32
		tid, errno := sys.WaitFor(s.pid, &status, unix.WNOHANG)
		switch ws := unix.WaitStatus(status); {
		case errno != 0 && errno != unix.EINTR:
			return 0, errno
		case tid == s.pid && ws.Stopped():
			return ws, nil
		case tid == s.pid:
			return 0, errSilent // it was killed
		}
	}
	return 0, errSilent
}

// end kills the subject and collects it. The end of one that another subject traces
// is not reported before that one has ended.
func (s *subject) end() {
	if s.over {
		return
	}
	s.over = true
	_ = unix.Kill(s.pid, unix.SIGKILL)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		var status uint32
		tid, errno := sys.WaitFor(s.pid, &status, unix.WNOHANG)
		if errno != 0 && errno != unix.EINTR || tid == s.pid && !unix.WaitStatus(status).Stopped() {
			return
		}
	}
}
