package state

import (
	"hash/maphash"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// Config bounds a [Table] and says where it looks things up. What is zero has
// the default.
type Config struct {
	// Root is the directory with proc and etc of the machine that the events
	// are of. Empty: nothing is looked up.
	Root string
	// Proc is the directory that describes its processes, if it is not proc
	// in Root.
	Proc string

	// Sysdig has the table show what sysdig 0.29.3 does even where that is
	// wrong, because it goes on with what it has known before: for its lines.
	Sysdig bool

	// Style is whose paths and guesses the table follows.
	Style event.Style

	MaxThreads int // default 131072
	MaxFDs     int // of one table of descriptors, default 16384
	MaxAllFDs  int // of all tables together, default 1048576
	MaxText    int // bytes of the names in all of them, default 256 MiB; of programs four times that
}

// Defaults of [Config].
const (
	defaultThreads = 1 << 17
	defaultFDs     = 1 << 14
	defaultAllFDs  = 1 << 20
	defaultText    = 256 << 20
)

// Stats counts what a [Table] holds and what it could not hold or find.
type Stats struct {
	Threads     int // entries
	Descriptors int // entries
	Text        int // bytes of their names
	Programs    int // bytes of arguments, environments and so on

	Lookups         uint64 // threads that were asked for in /proc
	Unknown         uint64 // threads that were not there either
	ThreadsLost     uint64 // events of threads for which there was no room
	DescriptorsLost uint64 // descriptors for which there was no room
	ProgramsLost    uint64 // programs for whose arguments and environment there was no room
	Purged          uint64 // threads that were forgotten to make room
}

// Table holds the threads and their descriptors as of the last event.
type Table struct {
	cfg     Config
	threads map[int64]*Thread
	recent  [64]*Thread // of threads, by the last digits of their number
	// How many threads are those of a child of each process that has any.
	children map[int64]int
	users    names
	groups   names
	homes    homes

	interfaces interfaces
	stats      Stats

	// The event that was applied last.
	now   uint64
	cur   *Thread
	enter event.View

	// What it has ended, which is still shown with it.
	ended     *Thread
	taker     int64 // a thread that has taken orphans, and of which nothing else is known; 0: none
	closed    int64 // -1: nothing
	closedIn  *files
	spare     Thread // for a thread without room in the table
	lastPurge time.Time

	departed departed
	opened   opened
	renamed  bool  // see Renamed
	uncopied int64 // the descriptor that was to be copied and is not known, -1 if there is none
	machine  capture.Machine
	restored *restored // until the next event, if a capture has told something
	buf      []byte
}

// New returns an empty table.
func New(cfg Config) *Table {
	if cfg.MaxThreads == 0 {
		cfg.MaxThreads = defaultThreads
	}
	if cfg.MaxFDs == 0 {
		cfg.MaxFDs = defaultFDs
	}
	if cfg.MaxAllFDs == 0 {
		cfg.MaxAllFDs = defaultAllFDs
	}
	if cfg.MaxText == 0 {
		cfg.MaxText = defaultText
	}
	t := &Table{cfg: cfg, threads: map[int64]*Thread{}, children: map[int64]int{}, homes: homes{}, closed: -1, uncopied: -1}
	t.opened.seed = maphash.MakeSeed()
	t.cur = t.reset(&t.spare, -1)
	if cfg.Root != "" {
		t.users = readNames(cfg.Root, "passwd", t.homes)
		t.groups = readNames(cfg.Root, "group", homes{})
	}
	return t
}

// Stats returns the counters.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Threads = len(t.threads)
	return s
}

// Current returns the thread of the event that was applied last. It is valid
// until the next one.
func (t *Table) Current() *Thread { return t.cur }

// Apply makes the changes of the next event. Afterwards the table answers as
// [event.Names] for that event; what the event has closed or ended goes when the
// next one comes.
func (t *Table) Apply(v *event.View) {
	t.renamed, t.uncopied = false, -1
	if t.restored != nil {
		t.settle()
	}
	t.finish()
	t.now = v.Time()
	s := &shapes[v.Type()]
	switch {
	case s.rule == ruleClone && !syscalls.IsEnter(v.Type()):
		t.clone(half{v, s})
	case s.rule == ruleExit:
		t.arrive(v)
		t.orphaned(half{v, s})
		t.ended = t.cur
	case syscalls.IsEnter(v.Type()):
		t.arrive(v)
		switch {
		case s.rule == rulePeople:
			t.people(half{v, s})
		case s.rule == ruleSwitch:
			t.cur.switched(half{v, s})
			t.cur.main().grown(half{v, s})
		case v.Info().Flags&syscalls.SkipParseReset == 0:
			t.entered(half{v, s})
		}
	default:
		t.arrive(v)
		t.returned(half{v, s})
	}
	t.clock(v, s)
}

// finish forgets what the event before has closed or ended.
func (t *Table) finish() {
	if t.closed >= 0 {
		t.unset(t.closedIn, t.closed)
		t.closed, t.closedIn = -1, nil
	}
	if t.ended != nil {
		t.remove(t.ended)
		t.ended = nil
	}
	if t.taker > 0 {
		if t.threads[t.taker] == nil && t.room() {
			t.add(t.taker)
		}
		t.taker = 0
	}
}

// arrive makes the thread of the event the current one.
func (t *Table) arrive(v *event.View) {
	th := t.known(v.TID())
	if th == nil {
		th = t.find(v.TID())
	}
	if th == nil && v.Info().Flags&syscalls.SkipParseReset != 0 {
		// An event that tells nothing of its thread, such as a switch, does not
		// make an entry in libsinsp either.
		t.release(t.spare.files)
		th = t.reset(&t.spare, v.TID())
	}
	if th == nil {
		if th = t.add(v.TID()); th == &t.spare {
			t.stats.ThreadsLost++
		} else {
			t.stats.Unknown++
		}
	}
	th.seen = t.now
	t.cur = th
}

// known returns a thread of the table, or nil. Few threads make most events, and one
// comes after the other.
func (t *Table) known(tid int64) *Thread {
	r := t.slot(tid)
	if th := *r; th != nil && th.TID == tid {
		return th
	}
	th := t.threads[tid]
	if th != nil {
		*r = th
	}
	return th
}

func (t *Table) slot(tid int64) **Thread { return &t.recent[uint64(tid)%uint64(len(t.recent))] }

// maxEnter bounds what is kept of an enter event, as libsinsp does.
const maxEnter = 4096

// entered remembers the enter half of a call.
func (t *Table) entered(h half) {
	th := t.cur
	th.entered, th.enter = h.Type(), th.enter[:0]
	if fd, ok := h.Int(int(h.fd)); ok {
		th.lastFD = fd
	}
	if h.rule == ruleNone || h.rule == ruleMemory || h.Len() > maxEnter {
		return
	}
	th.enter = append(th.enter, h.Bytes()...)
	switch h.rule {
	case ruleConnect:
		if !t.newest() {
			t.connecting(h)
		}
	case ruleSendTo:
		t.sending(h)
	}
}

// returned brings the halves of a call together.
func (t *Table) returned(exit half) {
	th := t.cur
	entered := th.entered
	th.entered = noEnter
	if t.cfg.Sysdig && exit.Info().Flags&(syscalls.ReadsFromFD|syscalls.WritesToFD) != 0 {
		t.exchanged(exit)
	}
	switch exit.rule {
	case ruleNone:
		if res, ok := exit.Int(0); ok && res == -int64(unix.EBADF) {
			t.missed(exit)
		}
		return
	case ruleMemory:
		if of := t.Memory(th); of != nil {
			of.grown(exit)
		}
		return
	}
	res, ok := exit.Int(0)
	if !ok {
		return
	}
	if res == -int64(unix.EBADF) {
		t.missed(exit)
	}
	c := call{exit: exit, thread: th, res: res}
	if entered != noEnter && entered+1 == exit.Type() && t.enter.Parse(th.enter) == nil {
		c.enter = half{&t.enter, &shapes[entered]}
	}
	switch exit.rule {
	case ruleOpen, ruleBind, ruleConnect, ruleAccept, ruleSendTo, ruleSendMsg, ruleReceive, ruleSendMore, ruleReceiveMore:
		t.applyNaming(&c)
	default:
		t.apply(&c)
	}
}

func (t *Table) apply(c *call) {
	if c.res < 0 && c.exit.rule != ruleConnect {
		return
	}
	switch c.exit.rule {
	case ruleExec:
		t.exec(c)
	case ruleSetUID:
		setUID(c)
	case ruleSetGID:
		setGID(c)
	case ruleSetSID:
		c.thread.SID = c.res
	case ruleChdir, ruleGetcwd:
		t.chdir(c)
	case ruleFchdir:
		t.fchdir(c)
	case ruleOpen:
		t.open(c)
	case ruleClose:
		t.close(c)
	case ruleDup:
		t.dup(c)
	case ruleFcntl:
		t.fcntl(c)
	case rulePair:
		t.pair(c)
	case ruleNew:
		t.create(c)
	case ruleSocket:
		t.socket(c)
	case ruleBind:
		t.bind(c)
	case ruleConnect:
		t.connect(c)
	case ruleAccept:
		t.accept(c)
	case ruleSendTo, ruleSendMsg:
		t.message(c, false)
	case ruleReceive:
		t.message(c, true)
	case ruleSendMore, ruleReceiveMore:
		if !t.cfg.Sysdig || t.newest() {
			t.message(c, c.exit.rule == ruleReceiveMore)
		}
	case ruleIoctl:
		t.ioctl(c)
	case ruleCloseRange:
		t.closeRange(c)
	case ruleUnshare:
		t.unshare(c)
	case rulePrctl:
		t.prctl(c)
	case ruleTake:
		if truth, _ := c.exit.Truth(); !t.cfg.Sysdig || len(truth.Received) > 0 {
			t.taken(c)
		}
	default:
		t.applyNewest(c)
	}
}

// reset makes th the entry of a thread of which nothing is known.
func (t *Table) reset(th *Thread, tid int64) *Thread {
	*th = Thread{
		TID: tid, PID: tid, PTID: -1, UID: ^uint32(0), GID: ^uint32(0), LoginUID: ^uint32(0), Comm: unknown, Program: noProgram,
		VPGID: -1, About: unknownAbout,
		files: newFiles(), dir: &dir{t.somewhere()},
		seen: t.now, entered: noEnter, enter: th.enter,
	}
	return th
}

// add makes an entry of a thread of which nothing is known, outside the table
// if that is full.
func (t *Table) add(tid int64) *Thread {
	if !t.room() {
		t.release(t.spare.files)
		return t.reset(&t.spare, tid)
	}
	th := t.reset(&Thread{}, tid)
	t.threads[tid] = th
	return th
}

// Of a full table those threads are forgotten that have done nothing for the
// time of idle, in nanoseconds; that is tried once per purgePause.
const (
	idle       = 5 * 60 * 1e9
	purgePause = time.Second
)

// room reports whether the table takes one more thread. If it is full idle
// threads are forgotten: if they go on, they are looked up again.
func (t *Table) room() bool {
	if len(t.threads) < t.cfg.MaxThreads {
		return true
	}
	if time.Since(t.lastPurge) < purgePause {
		return false
	}
	t.lastPurge = time.Now()
	for _, th := range t.threads {
		if th != t.cur && t.now > th.seen && t.now-th.seen > idle {
			t.drop(th)
			t.stats.Purged++
		}
	}
	return len(t.threads) < t.cfg.MaxThreads
}

// remove forgets a thread that has ended. A leader answers for its process as
// long as that has threads.
func (t *Table) remove(th *Thread) {
	if th.leader == th && th.members > 0 {
		th.exited = true
		return
	}
	if th.origin == fromChild {
		t.departed.add(th.TID)
	}
	t.drop(th)
	if l := th.leader; l != nil && l != th && l.exited && l.members == 0 {
		t.drop(l)
	}
}

// drop takes an entry out of the table.
func (t *Table) drop(th *Thread) {
	if t.threads[th.TID] != th {
		return
	}
	t.countChild(th.PTID, -1)
	delete(t.threads, th.TID)
	if r := t.slot(th.TID); *r == th {
		*r = nil
	}
	t.release(th.files)
	t.stats.Programs -= th.text
	if l := th.leader; l != nil && l != th {
		l.members--
	}
}

// departed remembers threads that have ended before their parent's clone
// returned, so that its event does not bring them back for good.
type departed struct {
	tids [64]int64
	next int
}

func (d *departed) add(tid int64) {
	d.tids[d.next%len(d.tids)] = tid
	d.next++
}

// take reports whether the thread is remembered, and forgets it.
func (d *departed) take(tid int64) bool {
	i := slices.Index(d.tids[:], tid)
	if i < 0 || tid == 0 {
		return false
	}
	d.tids[i] = 0
	return true
}
