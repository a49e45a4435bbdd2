package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
)

// A process can enter a container from outside (docker exec, nsenter): no tracee has
// made it, so nobody tells of it. It is found in /proc, by a goroutine beside the
// loop, which costs the loop nothing. Whether there can be anybody new the number
// tells that the kernel has given last, in /proc/loadavg; only then, and now and
// then for who has chosen its number, all of /proc is listed. What is known of a
// process is kept under its number and the inode of its directory, which is a
// new one for a new process: nothing of it is read again.

// ErrNoContainer is why nobody can be adopted.
var ErrNoContainer = errors.New("nobody can enter the first pid namespace of the machine: all that begin there would be adopted")

// Times of the search. It takes a two-hundredth of a processor, unless nobody would be
// looked for in a long time then.
const (
	searchPause = 50 * time.Millisecond
	searchShare = 200
	searchMost  = 5 * time.Second        // is paused
	searchAgain = 100 * time.Millisecond // for whoever was not ready
	searchAll   = time.Second
)

// newcomers finds those processes that have come into the pid namespaces below
// spaces since it was made, and that nobody who is traced has made.
type newcomers struct {
	spaces map[uint64]bool // inodes; nil for all that /proc shows
	tracer int             // the thread that traces
	reader func() int      // the process that reads the records, or 0

	dir, load int // of /proc, and its loadavg
	last      int // number that the kernel has given last
	known     map[int]known
	turn      uint32
	open      bool // somebody is to be looked at again
	was       int  // who has read the records
	listed    time.Time
	proc      procBuffer
	list      [1 << 14]byte

	found chan newcomer
	some  atomic.Bool // there is something in found
	stop  chan struct{}
	once  sync.Once
}

// newcomer is a process to be traced.
type newcomer struct {
	pid   int
	tries int // how often it was found before
}

// known is what was found out about a process.
type known struct {
	inode   uint64
	start   uint64 // with the number it tells processes apart
	turn    uint32 // of the last list that it was in
	settled bool   // nothing needs to be done about it any more
	tries   int
}

// maxFound bounds those that are told of at a time. The others are found again.
const maxFound = 64

// firstSpace is the inode of the first pid namespace: PROC_PID_INIT_INO of
// include/linux/proc_ns.h.
const firstSpace = 0xEFFFFFFC

// newNewcomers remembers who is there already. The processes are those whose pid
// namespaces are searched.
func newNewcomers(tracer int, reader func() int, pids ...int) (*newcomers, error) {
	n := &newcomers{
		spaces: map[uint64]bool{}, tracer: tracer, reader: reader,
		known: map[int]known{}, found: make(chan newcomer, maxFound), stop: make(chan struct{}),
	}
	own, err := space(os.Getpid())
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		switch ino, err := space(pid); {
		case errors.Is(err, unix.ENOENT): // it has ended
		case err != nil:
			return nil, err
		case ino == firstSpace:
			return nil, ErrNoContainer
		default:
			n.spaces[ino] = true
		}
	}
	if n.spaces[own] {
		n.spaces = nil // nobody can see more
	}
	root, err := procfs.Root()
	if err != nil {
		return nil, err
	}
	if n.dir, err = unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	if n.load, err = unix.Openat(n.dir, "loadavg", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		n.load = -1 // then all are listed each time
	}
	n.search(true)
	return n, nil
}

// space is the inode of the pid namespace of a process.
func space(pid int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(procPath(pid, "ns/pid"), &st); err != nil {
		return 0, fmt.Errorf("pid namespace of process %d: %w", pid, err)
	}
	return st.Ino, nil
}

// end ends the search.
func (n *newcomers) end() {
	if n != nil {
		n.once.Do(func() { close(n.stop) })
	}
}

// run searches until end is called. It calls wake when there is somebody, until that
// was noticed.
func (n *newcomers) run(wake func()) {
	pause := searchPause
	for {
		select {
		case <-n.stop:
			return
		case <-time.After(pause):
		}
		pause = searchPause
		n.readerChanged()
		switch {
		case n.some.Load():
			wake() // a signal that comes before a wait ends nothing
			pause /= 4
		case n.due():
			pause = pauseAfter(processorTime(func() { n.search(false) }))
		}
	}
}

// pauseAfter is how long to wait after a search that has taken that much of a processor.
func pauseAfter(taken time.Duration) time.Duration {
	return min(max(searchPause, searchShare*taken), searchMost)
}

// processorTime calls f and returns how long that was on a processor. Time in which it
// waited for one does not count: where many do, as in a container that has used up its
// share, a search would be over after seconds, and the next one begin after minutes.
func processorTime(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var begin, end unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &begin); err != nil {
		f()
		return searchMost // as if it had been long
	}
	f()
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &end)
	return time.Duration(end.Nano() - begin.Nano())
}

// due reports whether /proc has to be listed.
func (n *newcomers) due() bool {
	last := n.lastNumber()
	moved := last != n.last || last == 0
	n.last = last
	since := time.Since(n.listed)
	return moved || since > searchAll || n.open && since > searchAgain
}

// lastNumber is the number of the process or thread that was made last, 0 if that
// cannot be known: the last word of /proc/loadavg.
func (n *newcomers) lastNumber() int {
	size, _ := unix.Pread(n.load, n.proc.data[:], 0)
	return int(decimal(lastField(n.proc.data[:max(size, 0)])))
}

// search lists all processes and looks at the new ones, or remembers them.
func (n *newcomers) search(remember bool) {
	n.turn++
	n.open, n.listed = false, time.Now()
	if _, err := unix.Seek(n.dir, 0, unix.SEEK_SET); err != nil {
		return
	}
	for {
		size, err := unix.ReadDirent(n.dir, n.list[:])
		if err != nil || size <= 0 {
			break
		}
		for b := n.list[:size]; len(b) > direntName; {
			next := int(binary.NativeEndian.Uint16(b[direntSize:]))
			if next <= direntName || next > len(b) {
				break
			}
			name := b[direntName:next]
			for end, c := range name {
				if c == 0 {
					name = name[:end]
					break
				}
			}
			if pid := int(decimal(name)); pid > 0 {
				n.look(pid, binary.NativeEndian.Uint64(b), remember)
			}
			b = b[next:]
		}
	}
	for pid, k := range n.known {
		if k.turn != n.turn {
			delete(n.known, pid)
		}
	}
}

// Offsets in struct linux_dirent64, which begins with the inode.
const (
	direntSize = 16
	direntName = 19
)

// look has a process that is not settled found.
func (n *newcomers) look(pid int, inode uint64, remember bool) {
	k, met := n.known[pid]
	if !met || !k.settled || k.inode != inode {
		const flags, starttime = 9, 22
		const kthread = 0x200000 // PF_KTHREAD of include/linux/sched.h
		_, f := splitStat(n.proc.read(pid, "stat"))
		start := statField(f, starttime)
		if start != k.start {
			k = known{start: start, settled: statField(f, flags)&kthread != 0}
		}
		dead := len(f) == 0 || f[0][0] == 'Z' || f[0][0] == 'X'
		k.settled = k.settled || remember
		if !k.settled && !dead {
			k.settled = n.judge(pid, &k)
		}
		k.inode = inode
		n.open = n.open || !k.settled
	}
	k.turn = n.turn
	n.known[pid] = k
}

// judge reports whether nothing is to be done about a process, ever. Whoever should
// be traced is found again, until it is.
func (n *newcomers) judge(pid int, k *known) bool {
	var st procStatus
	if !st.read(pid, &n.proc) {
		return false
	}
	if st.tracer == n.tracer || st.ppid == os.Getpid() { // or one that the tracer has started
		return true
	}
	if n.reads(pid) {
		return false // until it does no more
	}
	within, err := n.within(pid)
	if err != nil {
		return false
	}
	if !within {
		return true // for ever: a process keeps its pid namespace
	}
	if k.tries < triesSoon || k.tries%triesSoon == 0 {
		n.tell(pid, k.tries)
	}
	k.tries++
	return false
}

// triesSoon is how often whoever was not ready is found in each list, and then in
// every how manieth. Who is about to execute a program that somebody else has begun,
// as a runtime of containers does, is not ready for a while.
const triesSoon = 10

// tell has the loop hear of a process.
func (n *newcomers) tell(pid, tries int) {
	select {
	case n.found <- newcomer{pid, tries}:
		n.some.Store(true)
	default: // it is found again
	}
}

// reads reports whether a process reads the records, or was made by who does: it
// would make records by reading, or never read because it stands still.
func (n *newcomers) reads(pid int) bool {
	reader := n.reader()
	for depth := 0; reader > 0 && pid > 1 && depth < maxDepth; depth++ {
		if pid == reader {
			return true
		}
		var st procStatus
		if !st.read(pid, &n.proc) {
			return false
		}
		pid = st.ppid
	}
	return false
}

// maxDepth bounds the way up from a process to its first ancestor.
const maxDepth = 1000

// within reports whether a process is in one of the pid namespaces that are searched,
// or in one below.
func (n *newcomers) within(pid int) (bool, error) {
	if n.spaces == nil {
		return true, nil
	}
	fd, err := unix.Open(procPath(pid, "ns/pid"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == nil {
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		if err != nil || n.spaces[st.Ino] {
			unix.Close(fd)
			return err == nil, err
		}
		up, errno := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		unix.Close(fd)
		if errno != nil { // above there is none, or none that can be seen from here
			return false, nil
		}
		fd = up
	}
	return false, fmt.Errorf("pid namespace of process %d: %w", pid, err)
}

// readerChanged has the loop hear of a process that has begun to read the records.
func (n *newcomers) readerChanged() {
	reader := n.reader()
	if reader == n.was {
		return
	}
	n.was = reader
	if k, met := n.known[reader]; met {
		n.tell(reader, 0)
		k.settled = false
		n.known[reader] = k
	}
}
