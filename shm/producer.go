package shm

import (
	"cmp"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// ProducerConfig is how a ring is written.
type ProducerConfig struct {
	Config
	// Block holds the caller of Write while the ring is full, instead of
	// dropping the record. See [Producer.Write] for what ends the wait.
	Block bool
	// Await holds the caller of Active while nobody reads, until a reader comes.
	// See [Producer.Active] for what else ends the wait.
	Await bool
	// Ceiling overrides how many event codes the reader knows; 0 asks the
	// ring. A ring that has to be created gets the layout that readers of that
	// many codes have.
	Ceiling int
	// Tracer is told to a reader of ours.
	Tracer Tracer
	// Log hears of what is odd but no error. The zero Logger is silent.
	Log zerolog.Logger
}

// Producer writes records into a ring.
type Producer struct {
	*ring
	cfg     ProducerConfig
	me      uint64 // what the lock holds while it is ours
	reader  reader
	readers uint32 // that have come
	ceiling int
	tried   uint64 // last value of the ring's counter
	stuck   uint64 // owner of the lock that was waited for in vain
	filled  bool   // the ring is half full, at least
	adrift  bool   // the objects were cut, or others have their names now
	closed  bool
	losses  [event.NumCauses]uint64 // of this producer, whoever reads

	giveUp   func() bool // see GiveUp
	stands   bool        // a record was given up, and the reader has made no room since
	standsAt uint32      // the tail then

	lookNow  atomic.Bool // something may have changed that no cheap test shows
	released atomic.Bool // Release was called

	mu   sync.Mutex // guards ring and reader.ext against the pulse
	stop chan struct{}
	done chan struct{}
}

// reader is what is known of the capturing process.
type reader struct {
	pid    int32
	start  uint64 // of the process; 0 if it was never seen from here
	stamp  uint64 // start time in the extension when it was looked at
	ext    bool   // the extension is this reader's
	truth  bool   // it wants the truth behind the records
	ours   bool   // it may be, if the reader is in another pid namespace
	gone   bool   // it was seen alive, and has died
	fd     int    // pidfd, with Await, or -1
	idle   bool   // it cannot be seen, and makes no room
	idleAt uint32 // the tail then
}

// watch makes the end of the reader visible at once.
func (r *reader) watch() {
	if fd, err := unix.PidfdOpen(int(r.pid), 0); err == nil {
		r.fd = fd
	}
}

func (r *reader) unwatch() {
	if r.fd >= 0 {
		unix.Close(r.fd)
	}
}

// ended reports whether the reader has died, if it is watched.
func (r *reader) ended() bool {
	if r.fd < 0 || r.gone {
		return false
	}
	fds := [1]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	n, err := unix.Ppoll(fds[:], &unix.Timespec{}, nil)
	return err == nil && n > 0
}

// NewProducer opens the ring, or creates it.
func NewProducer(cfg ProducerConfig) (*Producer, error) {
	r, err := cfg.open(opening{ceiling: cfg.Ceiling})
	if err != nil {
		return nil, err
	}
	pid := os.Getpid()
	start, _ := look(int32(pid))
	p := &Producer{
		ring: r, cfg: cfg,
		me:      lockWord(int32(pid), start),
		ceiling: cmp.Or(cfg.Ceiling, r.layout.ceiling),
		reader:  reader{fd: -1},
		stop:    make(chan struct{}), done: make(chan struct{}),
	}
	r.opened(&cfg.Log)
	go p.pulse()
	return p, nil
}

// Close lets go of the ring. The objects stay, with what is in them.
func (p *Producer) Close() error {
	if p.closed {
		return ErrClosed
	}
	p.closed, p.adrift = true, true
	close(p.stop)
	<-p.done
	p.reader.unwatch()
	p.leave()
	p.unmap()
	return nil
}

// leave takes the producer's pid out of the ring.
func (p *Producer) leave() {
	var err error
	defer p.catch(arm(), &err)
	p.producer.CompareAndSwap(uint32(p.me), 0)
}

// Release ends a wait for room or a reader, now and in future: a producer that
// blocks becomes one that drops. It may be called from any goroutine.
func (p *Producer) Release() { p.released.Store(true) }

// GiveUp has Write ask, while it waits and the reader has made no room for a
// second, and Active, while it waits, whether to wait no longer. The record is
// then lost for the reason for which Write waited.
// Preconditions: nobody writes.
func (p *Producer) GiveUp(when func() bool) { p.giveUp = when }

// Active reports whether a reader wants records: one captures, has not paused
// and has not died. It costs tens of nanoseconds. With [ProducerConfig.Await]
// it waits until that is so, [Producer.Release] is called or [Producer.GiveUp]
// says so.
func (p *Producer) Active() bool { return p.wanted() || p.cfg.Await && p.await() }

// Waiting for a reader.
const (
	awaitPause = time.Millisecond // at first
	awaitLong  = 20 * time.Millisecond
	awaitLook  = 50 * time.Millisecond // between looks whether to give up
)

// await waits for a reader, and reports whether there is one.
func (p *Producer) await() bool {
	if p.closed || p.released.Load() {
		return false
	}
	p.cfg.Log.Warn().Str("ring", p.name).Msg("nobody reads: waiting")
	pause := awaitPause
	for looked := time.Now(); !p.wanted(); time.Sleep(pause) {
		pause = min(2*pause, awaitLong)
		if p.released.Load() {
			return false
		}
		if time.Since(looked) < awaitLook {
			continue
		}
		if looked = time.Now(); p.giveUp != nil && p.giveUp() {
			return false
		}
	}
	return true
}

// wanted is Active without a wait.
func (p *Producer) wanted() (active bool) {
	if p.adrift && !p.reopen() {
		return false
	}
	defer p.rescue(arm())
	return p.gate()
}

// gate is Active without the protection against faults. It notices a new
// reader, except for one that has the pid of the last: pulse helps then.
func (p *Producer) gate() bool {
	pid := int32(p.capturing.Load())
	if pid != p.reader.pid || p.start.Load() != p.reader.stamp || p.lookNow.Load() || p.cfg.Await && p.reader.ended() {
		p.lookAt(pid)
	}
	return pid != 0 && p.stopped.Load() == 0 && !p.reader.gone
}

// lookAt finds out who the reader is and what it understands.
func (p *Producer) lookAt(pid int32) {
	p.lookNow.Store(false)
	begun := p.evts.Load() < p.tried // readers reset it, and nobody else
	p.tried = 0
	p.freed()
	was, now := p.reader, reader{pid: pid, stamp: p.start.Load()}
	if pid != 0 {
		var l life
		now.start, l = look(pid)
		now.ext = p.extension(pid, now.start)
		now.ours = p.extension(pid, p.start.Load())
		now.truth = now.ours && p.extSize.Load() >= extTruth && p.wants.Load()&wantsTruth != 0
		// A pid that was never seen may be one of another pid namespace. A
		// process that has got the pid of a dead reader is none because of
		// that: if it has begun to read, it shows.
		if was.pid == pid && was.start != 0 && now.start != was.start && l != hidden && !now.ext && !begun {
			now.start, now.gone = was.start, true
		}
		if was.pid == pid && was.start == now.start {
			now.idle, now.idleAt = was.idle, was.idleAt
		}
	}
	if now.gone && !was.gone {
		p.cfg.Log.Warn().Str("ring", p.name).Int32("pid", pid).
			Uint32("unread", used(p.head.Load(), p.tail.Load(), p.size)).Msg("reader has died")
	}
	if pid != 0 && (now.pid != was.pid || now.stamp != was.stamp || now.ours != was.ours || begun) {
		p.readers++
	}
	now.fd = -1
	if p.cfg.Await && !now.gone && now.start != 0 {
		now.watch()
	}
	was.unwatch()
	p.mu.Lock()
	p.reader = now
	p.mu.Unlock()
	if pid != 0 && !now.gone && (was.pid != pid || was.start != now.start) {
		p.cfg.Log.Info().Str("ring", p.name).Int32("pid", pid).Msg("reader connected")
	}
	p.ceiling = cmp.Or(p.cfg.Ceiling, p.layout.ceiling)
	if now.ours && p.first() {
		p.introduce()
	}
	if now.ext {
		if c := p.page.ceiling.Load(); p.cfg.Ceiling == 0 && c > uint32(p.layout.ceiling) && c <= 1<<16 {
			p.ceiling = int(c)
		}
		p.beat()
	}
	// Where nobody reads any more, and the names stand for other objects,
	// nobody will: those are tried at once.
	if p.adrift = (pid == 0 || now.gone) && p.moved(); p.adrift {
		p.lookNow.Store(true)
	}
}

// Ceiling is the number of event codes that the reader knows. It changes in
// [Producer.Active] and [Producer.Write] only.
func (p *Producer) Ceiling() int { return p.ceiling }

// Truth reports whether the reader wants the truth behind the records. It changes as
// Ceiling does.
func (p *Producer) Truth() bool { return p.reader.truth }

// Reader is another number for each reader that has to be told which threads
// live: one of this package, wherever it is, or one that cannot be seen. It is 0
// for others, which look around for themselves, and changes as Ceiling does.
func (p *Producer) Reader() uint32 {
	if p.reader.pid == 0 || p.reader.start != 0 && !p.reader.ours {
		return 0
	}
	return p.readers
}

// ReaderPID is the process that reads, 0 if there is none or it cannot be seen from
// here. It may be called from any goroutine.
func (p *Producer) ReaderPID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.reader
	if r.start == 0 || r.gone || r.ours && !r.ext { // the number stands for another process here
		return 0
	}
	return int(r.pid)
}

// Snaplen is how many bytes of data the reader wants of a call.
func (p *Producer) Snaplen() (n int) {
	n = defaultSnaplen
	if p.adrift {
		return n
	}
	defer p.rescue(arm())
	if s := p.snaplen.Load(); s > 0 && s <= maxSnaplen {
		n = int(s)
	}
	return n
}

// maxSnaplen is the longest parameter that a producer sends: PPM_MAX_ARG_SIZE.
const maxSnaplen = 65000

// Count adds a record that was lost before the ring: it would have been
// written, and will not come.
func (p *Producer) Count(cause event.Cause) {
	if p.adrift {
		return
	}
	defer p.rescue(arm())
	if p.gate() {
		p.attempt()
		p.lose(cause)
	}
}

// Lost is how many records this producer has not handed over, by cause.
func (p *Producer) Lost() [event.NumCauses]uint64 { return p.losses }

// attempt counts a record, whatever will become of it.
func (p *Producer) attempt() {
	n := p.evts.Add(1)
	if n <= p.tried {
		p.lookNow.Store(true) // a reader has begun anew
	}
	p.tried = n
}

// lose counts a record that was attempted and will not come. Other readers
// know two counters only: what the ring did not take, and what could not be
// made.
func (p *Producer) lose(cause event.Cause) {
	p.losses[cause]++
	if cause == event.CauseEncode || cause == event.CauseUnknown {
		p.faults.Add(1)
	} else {
		p.full.Add(1)
	}
	if p.reader.ext && cause < extLost {
		p.lost[cause].Add(1)
	}
}

// rescue is deferred by what touches the mapping. A fault ends the use of the
// ring, until there is another in its place, and not the process.
func (p *Producer) rescue(armed bool) {
	if !p.disarm(armed, recover()) {
		return
	}
	p.adrift = true
	p.cfg.Log.Error().Str("ring", p.name).Err(ErrCut).Msg("no events until it is made anew")
	p.abandon()
}

// abandon gives the lock back after a fault in the middle of a record.
func (p *Producer) abandon() {
	var err error
	defer p.catch(arm(), &err)
	p.unlock()
}

// pulseEvery is how often a producer shows that it lives, and how long it may
// take to notice what it can see in /proc or the file system only.
const pulseEvery = time.Second

// pulse runs beside the producer.
func (p *Producer) pulse() {
	defer close(p.done)
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			if p.reader.ext {
				p.beat()
			}
			p.mu.Unlock()
			p.lookNow.Store(true)
		}
	}
}

// beat tells a reader of ours that there is a producer, and which.
func (p *Producer) beat() {
	var err error // of a ring that was cut; whoever writes next will notice
	defer p.catch(arm(), &err)
	if !p.first() {
		return
	}
	p.producer.Store(uint32(p.me))
	p.heartbeat.Store(uint64(time.Now().UnixNano()))
}

// first reports whether this is the first of the producers that live, as far as they
// tell of themselves.
func (p *Producer) first() bool {
	pid := p.producer.Load()
	return pid == 0 || pid == uint32(p.me) || time.Now().UnixNano()-int64(p.heartbeat.Load()) > int64(3*pulseEvery)
}

// reopen looks, now and then, whether there is a ring in the place of one that
// was cut or removed.
func (p *Producer) reopen() bool {
	if p.closed || p.buf == "" || !p.lookNow.Swap(false) {
		return false
	}
	r, err := p.cfg.open(opening{find: true})
	if err != nil {
		return false // what is wrong has been said, or nobody has made one
	}
	p.mu.Lock()
	p.unmap()
	p.ring, p.reader, p.adrift = r, reader{fd: -1}, false
	p.mu.Unlock()
	p.cfg.Log.Info().Str("ring", p.name).Msg("ring opened again")
	return true
}
