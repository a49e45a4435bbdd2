package tracer

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// A stop is two switches between tracer and tracee. On one CPU each costs a
// few microseconds; on two each is a wake-up of an idle CPU, and the scheduler
// prefers two: PTRACE_CONT wakes the tracee while the tracer still runs. So a
// thread that stops again and again is put on the tracer's CPU, and the tracer
// too, and with it the children that take its turn.
//
// Nobody is to notice. The thread has its own mask again before it asks for or
// sets a mask, or a policy that needs one, before it opens the file of /proc that
// shows it, before it makes a child, before it changes its user or its tid, and
// after a silence. A tracer that dies takes its tracees along, so no mask is left
// behind.
type pin struct {
	enabled bool
	opened  bool // opens are seen
	turn    turn

	stops  atomic.Uint64 // of the pinned thread, to see a silence
	narrow atomic.Bool   // the tracer is on one CPU
	tid    atomic.Int64  // the thread that is there too, or 0
	wake   chan struct{} // the tracer is on one CPU: watch it

	mu    sync.Mutex // for changes of masks
	self  int        // thread of the tracer
	saved struct{ self, tid unix.CPUSet }
	one   unix.CPUSet
	most  unix.CPUSet // all that the cpuset of the tracer has
}

// pinSilence is how long a pinned thread stays without a stop.
const pinSilence = 10 * time.Millisecond

// start begins to watch, from the thread of the tracer. With one CPU there is
// nothing to gain.
func (p *pin) start(sel *Selection) {
	if runtime.NumCPU() < 2 {
		return
	}
	p.enabled, p.self, p.wake = true, unix.Gettid(), make(chan struct{}, 1)
	p.opened = sel.names("open") && sel.names("openat") && sel.names("openat2")
	go p.watch()
}

// end lets go of everything.
func (p *pin) end() {
	if p.enabled {
		p.release()
		close(p.wake)
	}
}

// watch gives the masks back when the pinned thread does not stop any more.
func (p *pin) watch() {
	for range p.wake {
		for p.narrow.Load() {
			last := p.stops.Load()
			time.Sleep(pinSilence)
			if p.stops.Load() == last {
				p.release()
			}
		}
	}
}

// stop notes a stop of thread th at the entry of a call of kind k.
func (p *pin) stop(th *thread, k kind) {
	if !p.enabled {
		return
	}
	long := p.turn.stop(th.tid)
	if int(p.tid.Load()) == th.tid {
		p.stops.Add(1)
	} else if long && !ownMask(th, k) {
		p.place(th.tid)
	}
}

// born notes that thread tid, which has not run yet, is the only thread of a
// child of thread parent. Most children execute a program soon: where they would
// have to be let go then (see executed) they are not worth it.
func (p *pin) born(tid, parent int) {
	if p.enabled && p.opened && p.turn.born(tid, parent) {
		p.place(tid)
	}
}

// executed is called when thread tid has executed a program, which may look at
// its mask first of all (libnuma does): if that is not seen, it is to find its own.
func (p *pin) executed(tid int) {
	if p.opened {
		return
	}
	p.turn.pause(tid)
	if int(p.tid.Load()) == tid {
		p.yield()
	}
}

// died notes the end of thread tid of a process that thread parent has made.
func (p *pin) died(tid, parent int) {
	p.turn.died(tid, parent)
	if int(p.tid.Load()) == tid {
		p.mu.Lock()
		p.tid.CompareAndSwap(int64(tid), 0)
		p.mu.Unlock()
	}
}

// place puts the tracer and thread tid on the CPU that the tracer runs on. If
// that is not possible it is tried again in the next turn.
func (p *pin) place(tid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.widen()
	if unix.SchedGetaffinity(tid, &p.saved.tid) == nil && p.saved.tid.Count() > 1 && p.gather() &&
		unix.SchedSetaffinity(tid, &p.one) == nil {
		p.stops.Add(1)
		p.tid.Store(int64(tid))
	} else {
		p.turn.restart()
	}
}

// gather puts the tracer on one CPU, unless it is, on which the thread whose
// mask has been saved may run.
func (p *pin) gather() bool {
	if p.narrow.Load() {
		return within(&p.one, &p.saved.tid)
	}
	cpu, errno := sys.CPU()
	if errno != 0 || unix.SchedGetaffinity(p.self, &p.saved.self) != nil {
		return false
	}
	if unix.SchedSetaffinity(p.self, &anyCPU) != nil || unix.SchedGetaffinity(p.self, &p.most) != nil {
		return false
	}
	p.one.Zero()
	p.one.Set(cpu)
	if !within(&p.one, &p.saved.tid) || unix.SchedSetaffinity(p.self, &p.one) != nil {
		p.set(p.self, &p.saved.self)
		return false
	}
	p.narrow.Store(true)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return true
}

// within reports whether all CPUs of a set are in another one.
func within(part, of *unix.CPUSet) bool {
	for i := range part {
		if part[i]&^of[i] != 0 {
			return false
		}
	}
	return true
}

// widen gives the pinned thread its own mask again.
func (p *pin) widen() {
	if tid := int(p.tid.Swap(0)); tid != 0 {
		p.restore(tid, &p.saved.tid)
	}
}

// restore gives a mask back. One that somebody else has set meanwhile stays as
// it is.
func (p *pin) restore(tid int, mask *unix.CPUSet) {
	var now, all unix.CPUSet
	if unix.SchedGetaffinity(tid, &now) != nil {
		return
	}
	if now != p.one {
		_ = unix.SchedSetaffinity(tid, &anyCPU)
		if unix.SchedGetaffinity(tid, &all) == nil && within(&p.one, &all) {
			mask = &now
		} // or the thread has come to a cpuset without our CPU
	}
	p.set(tid, mask)
}

// set sets a mask. The kernel remembers what was asked for, and holds it against
// each cpuset that the thread and its children come to: where all CPUs are meant,
// those of today may not be.
func (p *pin) set(tid int, mask *unix.CPUSet) {
	_ = unix.SchedSetaffinity(tid, p.asked(mask))
}

// asked is what was asked for by who has this mask.
func (p *pin) asked(mask *unix.CPUSet) *unix.CPUSet {
	if *mask == p.most {
		return &anyCPU
	}
	return mask
}

// anyCPU is what a thread has asked for that has never asked.
var anyCPU = func() (s unix.CPUSet) {
	s.Fill()
	return s
}()

// before is called at the entry of a call of kind k of thread th, also of one that
// the kernel begins again.
func (p *pin) before(th *thread, k kind) {
	switch {
	case k == kindAffinity:
		p.reveal()
	case ownMask(th, k):
		p.yield()
	}
}

// ownMask reports whether th has to have its own mask in a call of kind k.
func ownMask(th *thread, k kind) bool {
	switch k {
	case kindAffinity,
		kindClone, // the child inherits the mask
		kindCreds: // what has become another user's the tracer may not be allowed to change
		return true
	case kindExec:
		return th.tid != th.proc.pid // it becomes the leader, and gets another tid
	}
	return false
}

// yield gives the pinned thread its own mask again.
func (p *pin) yield() {
	if p.tid.Load() != 0 {
		p.mu.Lock()
		p.widen()
		p.mu.Unlock()
	}
}

// reveal is called before masks are seen or set: what is found is the thread's own
// mask, and that of the tracer.
func (p *pin) reveal() {
	p.turn.pause(p.turn.hot)
	p.release()
}

// release gives both masks back.
func (p *pin) release() {
	if !p.narrow.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.widen()
	if p.narrow.Swap(false) {
		p.restore(p.self, &p.saved.self)
	}
}

// opens is called at the entry of a call with the strings of its arguments.
func (p *pin) opens(text []byte) {
	if p.enabled && bytes.HasSuffix(text, statusFile) {
		p.reveal()
	}
}

// statusFile ends the names of the files of /proc that show a mask.
var statusFile = []byte("status")
