package tracer

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// The gentlest way to let go of a thread is to end: the kernel then lets all of
// them go as they are, the blocked ones notice nothing, a signal that was
// reported is delivered, and a stopped process stays stopped. A request to
// detach needs the thread to stop first, which ends some calls with EINTR.
//
// One thing does not bear it: whoever stands at the entry of a call when the
// tracer ends carries it out as if a signal had come (kernel/ptrace.c,
// __ptrace_unlink, wakes it so), and an epoll_wait then ends with EINTR. So
// before the end no thread is left that would stop at its next call. Those that
// are blocked in a call stop at its exit first, where that does no harm.
//
// Brought to an end are also calls that are about to return, so that both
// halves of them are told, and whatever else a thread must not be left in.

// wakeUp is a signal for the thread of the loop, to end its wait. Nobody else
// sends it.
const wakeUp = unix.Signal(64) // SIGRTMAX

// until ends the loop when stop is closed. It is called from the thread of the
// loop.
func (t *Tracer) until(stop <-chan struct{}) error {
	if err := wakeable(); err != nil {
		return err
	}
	pid, tid := os.Getpid(), unix.Gettid()
	go func() {
		<-stop
		// A signal that comes before the wait ends nothing.
		for t.leaving.Store(true); ; time.Sleep(5 * time.Millisecond) {
			_ = unix.Tgkill(pid, tid, wakeUp)
		}
	}()
	return nil
}

// wakeable has wakeUp end a wait.
func wakeable() error {
	signal.Notify(make(chan os.Signal, 1), wakeUp)
	return sys.Interrupting(wakeUp)
}

// alone reports whether there is nobody left of those that were attached to.
// Other children, which the process may have inherited, do not count.
func (t *Tracer) alone() bool {
	return t.attached && len(t.table.threads) == 0 && len(t.births.parked) == 0
}

// How often the threads are looked at, with a millisecond in between. On a busy
// machine, where they get on slower, a look takes longer too.
const (
	partingNudge = 10  // from one nudge to the next
	partingCalls = 100 // for calls to return
	partingAll   = 600 // for what must not be left
)

// letGo brings the tracees to where they can be left.
func (t *Tracer) letGo() {
	t.parting, t.onward = true, unix.PTRACE_CONT
	for look := range partingAll {
		if look%partingNudge == 0 {
			t.nudge()
		}
		calls, all := t.unfinished()
		// Who has stopped before a call meanwhile was neither in it nor nudged.
		quiet := !t.catchUp()
		if quiet && !all && (!calls || look > partingCalls) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, th := range t.table.threads {
		t.sure(th)
	}
}

// nudge has those threads stop that would stop at their next call, and are in
// none. Who is in one stops at its end; interrupted, and without a tracer by the time
// that it gets a processor, it would end the call with EINTR, or with a part.
func (t *Tracer) nudge() {
	for _, th := range t.table.threads {
		if !th.loose && !th.seized && !th.stood && t.inState(th.tid, 'R') {
			th.seized = true
			_ = sys.Ptrace(unix.PTRACE_INTERRUPT, th.tid, 0, 0)
		}
	}
}

// inState reports whether a thread is in a state of proc(5).
func (t *Tracer) inState(tid int, state byte) bool {
	_, f := splitStat(t.proc.read(tid, "stat"))
	return len(f) > 0 && f[0][0] == state
}

// unfinished reports whether threads are in a call that is told of, and whether
// they are in something that they must not be left in. An interrupt that has not
// been noticed (in a vfork, say) is taken back by the kernel.
func (t *Tracer) unfinished() (calls, all bool) {
	for _, th := range t.table.threads {
		calls = calls || th.inCall
		all = all || th.stepping || th.call.changed || th.seized && !t.inState(th.tid, 'D')
	}
	return calls, all
}
