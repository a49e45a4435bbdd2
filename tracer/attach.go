package tracer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
)

// ErrNobody is what [Attach] returns when nobody could be attached to.
var ErrNobody = errors.New("no process is traced")

// Attachment is whom to attach to, and for how long.
type Attachment struct {
	PIDs     []int // processes
	Trees    []int // processes with all their living descendants
	Stop     <-chan struct{}
	Attached func() // is called when that is done, if anybody is traced
	// Filter gives the processes a filter, so that they do not stop at every
	// call. They are killed then when the tracer ends. Refused is told of those
	// that do not get it, a [*FilterError].
	Filter bool
	// Refused is told of each process that cannot be traced, or not with all
	// its threads: an [*AttachError].
	Refused func(error)
}

// Attach traces processes that run already, with all their threads and the
// children born later, until none is left or a.Stop is closed.
//
// When it returns tracees may be left. The kernel lets them go as they are when
// the calling thread ends, which is gentler than any request for it could be: so
// the caller has to end the process. Its thread stays locked until then.
func Attach(a Attachment, cfg Config) error {
	runtime.LockOSThread()
	// As for Launch. No limit of memory makes collections begin by themselves.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	haveThreads()
	sys.Hide()
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(math.MaxInt64)
	if _, err := procfs.Root(); err != nil {
		return err // there is no other list of threads
	}
	t := newTracer(cfg)
	t.attached, t.every = true, true
	t.options |= optionsAll
	t.onward = unix.PTRACE_SYSCALL
	var instructions []byte
	if a.Filter {
		t.cookie = newCookie()
		filter, err := cfg.Calls.Filter(t.cookie)
		if err != nil {
			return err
		}
		instructions, t.unfiltered = sys.FilterBytes(filter), a.Refused
		t.options |= unix.PTRACE_O_TRACESECCOMP
		if cfg.Pin {
			t.pin.start(cfg.Calls)
			defer t.pin.end()
		}
	}
	if err := t.until(a.Stop); err != nil {
		return err
	}
	if cfg.Adopt {
		if err := t.adopt(a.Refused, slices.Concat(a.PIDs, a.Trees)...); err != nil {
			return fmt.Errorf("--adopt: %w", err)
		}
		defer t.adoptNoMore()
	}
	s := seizure{t: t, refused: a.Refused, options: t.options}
	select {
	case <-a.Stop:
		return nil
	default:
	}
	s.all(a)
	if s.seized == 0 && !t.leaving.Load() {
		return ErrNobody
	}
	t.log.Info().Int("threads", s.seized).Msg("attached")
	a.Attached()
	t.filter = instructions
	t.adoptFrom()
	t.loop()
	t.adoptNoMore()
	t.letGo()
	t.summarize()
	t.sayHandedOver()
	return t.failed
}

// seizure attaches to processes.
type seizure struct {
	t       *Tracer
	refused func(error)
	options uintptr // of ptrace
	adopts  bool    // whoever has come from outside
	seized  int     // threads

	mu      sync.Mutex
	asking  bool     // for a thread, which may take long
	reports []report // that came meanwhile
}

// refusedPasses is how often one that was refused is tried again: it may have
// been dying, or have got the place of such a leader by an exec.
const refusedPasses = 5

// all attaches to everybody.
func (s *seizure) all(a Attachment) {
	end := make(chan struct{})
	defer close(end)
	go s.collect(end)
	for _, pid := range a.PIDs {
		s.process(pid)
	}
	for _, pid := range a.Trees {
		s.tree(pid)
	}
}

// quietPasses is how many looks in a row have to find nothing new: the listing
// of a directory in which names come and go may leave one out.
const quietPasses = 2

// process attaches to all threads of a process, and to those that they make
// meanwhile. It reports whether there are any.
func (s *seizure) process(pid int) bool {
	t := s.t
	var st procStatus
	if !st.read(pid, &t.proc) {
		s.refused(t.refusal(pid, unix.ESRCH))
		return false
	}
	pid = st.tgid
	before, missed := s.seized, map[int]unix.Errno{}
	retries := refusedPasses
	for quiet := 0; quiet < quietPasses && !t.leaving.Load(); quiet++ {
		if len(missed) > 0 && retries > 0 {
			retries--
			quiet = 0
		}
		clear(missed)
		if !s.rested(pid) {
			missed[pid] = unix.EBUSY
			break
		}
		for _, tid := range tids(pid) {
			if t.met(tid) {
				continue
			}
			switch errno := s.thread(pid, tid); {
			case errno == 0:
				quiet = -1
			case errno != unix.ESRCH && !t.zombie(tid):
				missed[tid] = errno
			}
		}
		t.catchUp()
	}
	if t.leaving.Load() {
		return true // nobody asks any more
	}
	if s.seized > before || t.table.process(pid) != nil {
		for tid, errno := range missed {
			s.refused(t.refusal(tid, errno))
		}
		return true
	}
	s.refused(t.refusal(pid, cmp.Or(missed[pid], unix.ESRCH)))
	return false
}

// met reports whether thread tid is known to be a tracee.
func (t *Tracer) met(tid int) bool {
	if _, parked := t.births.parked[tid]; parked {
		return true
	}
	return t.table.get(tid) != nil
}

// thread attaches to a thread of process pid. It is ESRCH if there is nothing
// to be done about it: it has died, or is the child of a tracee, of which its
// parent will tell.
func (s *seizure) thread(pid, tid int) unix.Errno {
	t := s.t
	var st procStatus
	if !st.read(tid, &t.proc) || st.tgid != pid || st.tracer == unix.Gettid() {
		return unix.ESRCH
	}
	if errno := s.seize(tid); errno != 0 {
		if st.read(tid, &t.proc) && st.tracer == unix.Gettid() {
			return unix.ESRCH
		}
		return errno
	}
	s.seized++
	t.took(tid, &st, s.adopts)
	return 0
}

// seize asks the kernel for a thread. It waits while the process executes a
// program (kernel/ptrace.c, ptrace_attach: cred_guard_mutex), and an exec waits
// for the deaths of all other threads of its process to be collected, by us if
// they are ours already. So somebody else does that meanwhile: see collect.
func (s *seizure) seize(tid int) (errno unix.Errno) {
	s.besides(func() { errno = sys.Ptrace(unix.PTRACE_SEIZE, tid, 0, s.options) })
	s.t.handleTurn()
	return errno
}

// besides calls f, which may take long, while collect sees to the reports.
func (s *seizure) besides(f func()) {
	s.mu.Lock()
	s.asking = true
	s.mu.Unlock()
	f()
	s.mu.Lock()
	s.asking = false
	reports := s.reports
	s.reports = nil
	s.mu.Unlock()
	s.t.turn = append(s.t.turn, reports...)
}

// collect takes reports, from any thread of the tracer's process, while the
// tracer may be waiting in seize. It ends when end is closed.
func (s *seizure) collect(end <-chan struct{}) {
	tick := time.NewTicker(promptly)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for s.asking {
			var status uint32
			tid, errno := sys.Wait(&status, unix.WNOHANG)
			if errno != 0 || tid == 0 {
				break
			}
			s.reports = append(s.reports, report{tid, status})
		}
		s.mu.Unlock()
	}
}

// tree attaches to a process and its descendants. Those that have ended are told of
// together: whoever collects no children may have thousands.
func (s *seizure) tree(root int) {
	var st procStatus
	if st.read(root, &s.t.proc) {
		root = st.tgid // a parent is a process, not a thread
	}
	if !s.process(root) {
		return
	}
	ended, refused := 0, s.refused
	s.refused = func(err error) {
		if errors.Is(err, unix.ESRCH) {
			ended++
		} else {
			refused(err)
		}
	}
	defer func() {
		s.refused = refused
		if ended > 0 {
			refused(&AttachError{PID: root, Reason: fmt.Sprintf("descendants that have ended: %d", ended), Err: unix.ESRCH})
		}
	}()
	tried := map[int]bool{root: true}
	for quiet := 0; quiet < quietPasses && !s.t.leaving.Load(); quiet++ {
		for _, pid := range s.t.descendants(root) {
			if !tried[pid] && !s.t.met(pid) {
				tried[pid] = true
				s.process(pid)
				quiet = -1
			}
		}
		s.t.catchUp()
	}
}

// descendants are the processes below a process, parents before children, without the
// tracer and what it has started.
func (t *Tracer) descendants(root int) []int {
	children := t.byParent()
	for parent, list := range children {
		children[parent] = slices.DeleteFunc(list, func(pid int) bool { return pid == os.Getpid() })
	}
	list := []int{root}
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i]]...)
		delete(children, list[i]) // names that came and went make no circle
	}
	return list[1:]
}

// took makes a thread known that was seized, and has it stop: only a thread that
// stands still can be told to stop at its calls.
func (t *Tracer) took(tid int, st *procStatus, adopted bool) {
	p := t.table.process(st.tgid)
	if p == nil {
		t.served.look(tid)
		p = t.meet(tid, st)
		if adopted {
			p.adopted, p.injected = true, true
		}
		if tid != p.pid {
			p.mem.open() // the thread may end before its process does
		}
	}
	th := t.table.add(tid, p)
	if tid != p.pid {
		th.comm = readName(tid, &t.proc)
	}
	noteCall(th, &t.proc)
	t.halt(th, promptly)
}

// promptly is how long a thread is waited for that has to stop. One that waits
// for a child (vfork) or for a device does not stop before that is over.
const promptly = 20 * time.Millisecond

// halt has a seized thread stop and, when it has, go on to its calls. It is waited
// for because until then a death of the tracer would end its call with EINTR. A
// thread that takes longer than patience is left to the loop.
func (t *Tracer) halt(th *thread, patience time.Duration) {
	th.seized = true
	if sys.Ptrace(unix.PTRACE_INTERRUPT, th.tid, 0, 0) != 0 {
		return // it has died
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(10 * time.Microsecond) {
		var status uint32
		if tid, errno := sys.WaitFor(th.tid, &status, unix.WNOHANG); errno != 0 {
			return
		} else if tid == th.tid {
			t.handle(report{tid, status})
			return
		}
	}
	t.log.Debug().Int("tid", th.tid).Msg("does not stop yet")
}

// settled is called at the first stop of a thread after an interrupt of ours. If
// that is no stop for a signal and a call has ended with EINTR, the call begins
// again. So does one that has only come to its entry: the interrupt is still
// under way, or has left its mark (kernel/signal.c, ptrace_stop, never clears
// TIF_SIGPENDING), and the end of that call might not be seen any more.
func (t *Tracer) settled(th *thread, status uint32) {
	th.seized = false
	sig := signalOf(status)
	switch eventOf(status) {
	case unix.PTRACE_EVENT_STOP:
		if sig == int(unix.SIGTRAP) {
			undisturb(th, false)
		}
	case 0:
		switch {
		case sig != callStop:
		case t.read(th) && t.in.Op == sys.SyscallEntry:
			enterAgain(th)
		default:
			undisturb(th, true)
		}
	}
}

// catchUp handles what has been reported by now, and reports whether that was
// anything.
func (t *Tracer) catchUp() bool {
	t.takeTurns()
	some := len(t.turn) > 0
	t.handleTurn()
	return some
}
