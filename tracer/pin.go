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
// too.
//
// Nobody is to notice. The thread has its own mask again before it asks for or
// sets a mask, before it opens the file of /proc that shows it, before it makes
// a child, which would inherit the mask, and after a silence. A tracer that dies takes its tracees along, so no mask is
// left behind.
type pin struct {
	enabled bool
	hot     int // thread of the last stops
	streak  int // how many those were

	stops  atomic.Uint64 // to see a silence
	pinned atomic.Bool
	wake   chan struct{} // something is pinned: watch it

	mu     sync.Mutex
	self   int // thread of the tracer
	tid    int // the pinned thread
	saved  [2]unix.CPUSet
	narrow unix.CPUSet
}

const (
	pinAfter   = 16                    // stops in a row
	pinSilence = 10 * time.Millisecond // without a stop
)

// start begins to watch, from the thread of the tracer. With one CPU there is
// nothing to gain.
func (p *pin) start() {
	if runtime.NumCPU() < 2 {
		return
	}
	p.enabled, p.self, p.wake = true, unix.Gettid(), make(chan struct{}, 1)
	go p.watch()
}

// end lets go of everything.
func (p *pin) end() {
	if p.enabled {
		p.release()
		close(p.wake)
	}
}

// watch gives the masks back when no stop comes any more.
func (p *pin) watch() {
	for range p.wake {
		for p.pinned.Load() {
			last := p.stops.Load()
			time.Sleep(pinSilence)
			if p.stops.Load() == last {
				p.release()
			}
		}
	}
}

// stop notes a stop of thread tid.
func (p *pin) stop(tid int) {
	if !p.enabled {
		return
	}
	p.stops.Store(p.stops.Load() + 1)
	if tid != p.hot {
		p.hot, p.streak = tid, 0
	}
	if p.streak++; p.streak == pinAfter {
		p.place(tid)
	}
}

// place puts the tracer and thread tid on the CPU that the tracer runs on.
func (p *pin) place(tid int) {
	p.release()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.narrow.Zero()
	cpu, errno := sys.CPU()
	if errno != 0 || unix.SchedGetaffinity(tid, &p.saved[0]) != nil || unix.SchedGetaffinity(p.self, &p.saved[1]) != nil {
		return
	}
	if !p.saved[0].IsSet(cpu) || p.saved[0].Count() < 2 {
		return // it may not run here, or is somewhere for good
	}
	p.narrow.Set(cpu)
	if unix.SchedSetaffinity(p.self, &p.narrow) != nil {
		return
	}
	if unix.SchedSetaffinity(tid, &p.narrow) != nil {
		_ = unix.SchedSetaffinity(p.self, &p.saved[1])
		return
	}
	p.tid = tid
	p.pinned.Store(true)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// release gives both masks back. A mask that somebody else has changed
// meanwhile stays as it is.
func (p *pin) release() {
	if !p.pinned.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.pinned.Load() {
		return
	}
	p.pinned.Store(false)
	for i, tid := range [2]int{p.tid, p.self} {
		var now unix.CPUSet
		if unix.SchedGetaffinity(tid, &now) == nil && now == p.narrow {
			_ = unix.SchedSetaffinity(tid, &p.saved[i])
		}
	}
}

// reveal is called at the entry of a call by which masks are seen, set or
// inherited: what it finds is the thread's own mask.
func (p *pin) reveal() {
	if p.pinned.Load() {
		p.release()
		p.streak = 0
	}
}

// opens is called at the entry of a call with the strings of its arguments.
func (p *pin) opens(text []byte) {
	if p.pinned.Load() && bytes.HasSuffix(text, statusFile) {
		p.reveal()
	}
}

// statusFile ends the names of the files of /proc that show a mask.
var statusFile = []byte("status")
