package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// A process that was attached to can be given a filter, by calls that one of its
// threads makes for us before the one that it wants to make. All its threads have
// the filter then, and so will have all children, and nobody is rid of it again:
// without a tracer every call that the filter knows would fail with ENOSYS. So
// whoever may have it is killed when the tracer ends.

// FilterError is why a process that was attached to has no filter. It stops at
// every call.
type FilterError struct {
	PID int
	Err error
}

func (e *FilterError) Error() string {
	return fmt.Sprintf("process %d gets no filter and stops at every call: %v", e.PID, e.Err)
}

func (e *FilterError) Unwrap() error { return e.Err }

var (
	errForeignABI = errors.New("it makes calls of another ABI")
	errHasFilter  = errors.New("it has a seccomp filter already")
)

// injection is what a thread is on the way to do for us, and how it was before.
type injection struct {
	regs   sys.Regs // at the entry of its own call
	mask   uint64   // the signals that it blocks
	step   func(*Tracer, *thread, int64)
	page   uint64 // where the filter stands
	locked bool   // no_new_privs was set
	err    error
}

// inject has th, which stands at the entry of the call in t.in, give its process
// the filter before, if the process is to have one and nobody has tried yet.
func (t *Tracer) inject(th *thread) bool {
	p := th.proc
	if t.filter == nil || p.injected || p.filtered || t.parting {
		return false
	}
	p.injected = true
	var st procStatus
	st.read(p.pid, &t.proc)
	switch {
	case t.in.Arch != abis[0].audit:
		t.notFiltered(p, errForeignABI)
		return false
	case st.seccomp > 0 && p.up != nil && p.up.filtered:
		return false // it was made while its parent got ours: the next stop will tell
	case st.seccomp > 0:
		// One that knows nothing of our calls might kill the process.
		t.notFiltered(p, errHasFilter)
		return false
	}
	i := &injection{step: (*Tracer).mapped}
	if _, errno := sys.GetRegs(th.tid, &i.regs); errno != 0 {
		return false // it has died
	}
	// No handler may run in between.
	if sys.GetSigmask(th.tid, &i.mask) != 0 || sys.SetSigmask(th.tid, ^uint64(0)) != 0 {
		return false
	}
	th.injection, p.injecting = i, true
	t.bind(th)
	regs := i.regs
	callInstead(th.tid, &regs, unix.SYS_MMAP, 0, uint64(t.filterSize()), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uint64(0), 0)
	t.resume(th, unix.PTRACE_SYSCALL, 0)
	return true
}

// injected is called at the stops of th while it makes calls for us.
func (t *Tracer) injected(th *thread) {
	if t.in.Op == sys.SyscallExit {
		th.injection.step(t, th, int64(t.in.Words[0]))
	}
	request := unix.PTRACE_SYSCALL
	if th.injection == nil {
		request = unix.PTRACE_CONT
	}
	t.resume(th, request, 0)
}

// next has th make a call when it goes on, and step look at the result.
func (t *Tracer) next(th *thread, step func(*Tracer, *thread, int64), nr uint64, args ...uint64) {
	th.injection.step = step
	regs := th.injection.regs
	callNext(th.tid, &regs, nr, args...)
}

// filterSize is the size of what is written into the memory of the process:
// struct sock_fprog, and the filter.
func (t *Tracer) filterSize() int { return unix.SizeofSockFprog + len(t.filter) }

func (t *Tracer) mapped(th *thread, result int64) {
	i := th.injection
	if result < 0 && result > -4096 {
		i.err = fmt.Errorf("mmap: %w", unix.Errno(-result))
		t.asBefore(th)
		return
	}
	i.page = uint64(result)
	text := make([]byte, unix.SizeofSockFprog, t.filterSize())
	binary.LittleEndian.PutUint16(text, uint16(len(t.filter)/unix.SizeofSockFilter))
	binary.LittleEndian.PutUint64(text[8:], i.page+unix.SizeofSockFprog)
	text = append(text, t.filter...)
	if _, err := unix.PtracePokeData(th.tid, uintptr(i.page), text); err != nil {
		i.err = fmt.Errorf("write: %w", err)
		t.unmap(th)
		return
	}
	t.install(th)
}

func (t *Tracer) install(th *thread) {
	t.next(th, (*Tracer).installed, unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC|sys.FilterFlags(), th.injection.page)
}

func (t *Tracer) installed(th *thread, result int64) {
	i := th.injection
	switch {
	case result == 0:
		th.proc.filtered = true
	case result == -int64(unix.EACCES) && !i.locked:
		i.locked = true
		t.next(th, func(t *Tracer, th *thread, _ int64) { t.install(th) }, unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
		return
	case result > 0:
		i.err = fmt.Errorf("its thread %d: %w", result, errHasFilter)
	default:
		i.err = fmt.Errorf("seccomp: %w", unix.Errno(-result))
	}
	t.unmap(th)
}

func (t *Tracer) unmap(th *thread) {
	t.next(th, func(t *Tracer, th *thread, _ int64) { t.asBefore(th) }, unix.SYS_MUNMAP, th.injection.page, uint64(t.filterSize()))
}

// asBefore puts th before the call that it wanted to make.
func (t *Tracer) asBefore(th *thread) {
	i := th.injection
	th.injection, th.proc.injecting = nil, false
	callAnew(th.tid, &i.regs)
	_ = sys.SetSigmask(th.tid, i.mask)
	t.bind(th)
	switch {
	case i.err != nil:
		t.notFiltered(th.proc, i.err)
	case i.locked:
		t.log.Warn().Int("pid", th.proc.pid).Msg("no_new_privs had to be set: set-user-id programs keep the user that runs them")
	}
}

func (t *Tracer) notFiltered(p *process, err error) {
	t.unfiltered(&FilterError{p.pid, err})
}

// bind has th killed when the tracer ends, if it has the filter or is about to
// get it, and not otherwise. Its children will have that from it.
func (t *Tracer) bind(th *thread) {
	if want := th.proc.filtered || th.injection != nil; want != th.bound {
		th.bound = want
		_ = sys.Ptrace(unix.PTRACE_SETOPTIONS, th.tid, 0, t.optionsOf(th))
	}
}

// optionsOf are the options of ptrace of th.
func (t *Tracer) optionsOf(th *thread) uintptr {
	if th.bound || t.binds && !th.proc.adopted {
		return t.options | unix.PTRACE_O_EXITKILL
	}
	return t.options
}
