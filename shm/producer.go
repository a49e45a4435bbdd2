package shm

import (
	"os"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
)

// Class says what a record is worth when the ring is nearly full.
type Class uint8

const (
	// Normal records leave the last part of the ring free.
	Normal Class = iota
	// Vital records, without which a reader misunderstands all that follow
	// (clone, exec, the end of a thread), may fill the ring.
	Vital
)

// reserveShare is the part of the ring that only vital records get: 1/20.
const reserveShare = 20

// ProducerConfig is how a ring is written.
type ProducerConfig struct {
	Config
	// Block holds the caller of Write while the ring is full, instead of
	// dropping the record. It lets go when the reader goes away.
	Block bool
	// Ceiling overrides how many event codes the reader knows; 0 asks the ring.
	Ceiling int
	Log     zerolog.Logger
}

// Producer writes records into a ring.
type Producer struct {
	ring
	cfg     ProducerConfig
	log     zerolog.Logger
	pid     uint64
	reader  int32 // the capturing pid that ceiling and ext belong to
	ceiling int
	ext     bool // the reader has our extension
	broken  bool // the objects were taken away under the mapping
	armed   bool // faults of this goroutine are panics
	waited  int  // times that Write has waited for room
}

// NewProducer opens the ring, or creates it.
func NewProducer(cfg ProducerConfig) (*Producer, error) {
	r, err := cfg.open(false)
	if err != nil {
		return nil, err
	}
	return &Producer{ring: *r, cfg: cfg, log: cfg.Log, pid: uint64(os.Getpid()), ceiling: cfg.Ceiling}, nil
}

// Close lets go of the ring. The objects stay, with what is in them.
func (p *Producer) Close() error {
	p.unmap()
	p.broken = true
	return nil
}

// Active reports whether a reader wants records: whoever captures has not
// paused. It costs a few nanoseconds.
func (p *Producer) Active() (active bool) {
	if p.broken {
		return false
	}
	defer p.rescue()
	p.arm()
	reader := int32(p.status(offCapturing).Load())
	if reader != p.reader {
		p.readerChanged(reader)
	}
	return reader != 0 && p.status(offStopped).Load() == 0
}

// arm makes a fault in the mapping, of a file that was cut, a panic that
// rescue catches. It would end the process otherwise.
func (p *Producer) arm() {
	if !p.armed {
		debug.SetPanicOnFault(true)
		p.armed = true
	}
}

// rescue is deferred by whatever touches the mapping. A fault ends the use of
// the ring, not the process.
func (p *Producer) rescue() {
	r := recover()
	if r == nil {
		return
	}
	if _, fault := r.(interface{ Addr() uintptr }); !fault {
		panic(r)
	}
	p.broken = true
	p.log.Error().Str("ring", p.name).Msg("the ring was cut off under the mapping: no more events")
}

// readerChanged finds out what the new reader understands.
func (p *Producer) readerChanged(reader int32) {
	p.reader = reader
	p.ext = reader != 0 && p.extended(reader)
	p.ceiling = p.cfg.Ceiling
	if p.ext {
		p.u32(offExtProducer).Store(uint32(p.pid))
	}
	if p.ceiling != 0 {
		return
	}
	p.ceiling = p.layout.ceiling
	if p.ext {
		if c := p.u32(offExtCeiling).Load(); c >= uint32(p.layout.ceiling) && c < 1<<16 {
			p.ceiling = int(c)
		}
	}
}

// Ceiling is the number of event codes that the reader knows.
func (p *Producer) Ceiling() int {
	if p.ceiling == 0 {
		return p.layout.ceiling
	}
	return p.ceiling
}

// Snaplen is how many bytes of data the reader wants of a call.
func (p *Producer) Snaplen() (n int) {
	if p.broken {
		return defaultSnaplen
	}
	defer p.rescue()
	p.arm()
	if s := p.status(offSnaplen).Load(); s > 0 && s < 1<<16 {
		return int(s)
	}
	return defaultSnaplen
}

// Count adds a loss that happened before the ring: the record was tried, and
// will not come.
func (p *Producer) Count(cause event.Cause) {
	if p.broken {
		return
	}
	defer p.rescue()
	p.arm()
	p.u64(offEvts).Add(1)
	p.lose(cause)
}

// lose counts a record that was tried and will not come.
func (p *Producer) lose(cause event.Cause) {
	if p.ext && cause < event.NumCauses {
		p.u64(offExtLost + 8*int(cause)).Add(1)
	}
	// Others know two counters only.
	if cause == event.CauseRingFull {
		p.u64(offDrops).Add(1)
	} else {
		p.u64(p.layout.faults).Add(1)
	}
}

// Write puts one record into the ring and reports whether it will be
// delivered; else it is counted.
func (p *Producer) Write(rec []byte, class Class) (ok bool) {
	if p.broken {
		return false
	}
	defer p.rescue()
	p.arm()
	p.u64(offEvts).Add(1)
	cause := p.publish(rec, class)
	for cause == event.CauseRingFull && p.cfg.Block {
		if !p.waitForRoom() {
			cause = event.CauseReader
			break
		}
		cause = p.publish(rec, class)
	}
	p.waited = 0
	if cause != published {
		p.lose(cause)
		return false
	}
	if p.ext {
		p.u64(offExtPublished).Add(1)
		p.wake()
	}
	return true
}

// published is no cause of a loss.
const published = event.NumCauses

// publish copies the record behind head and moves head, unless there is no
// room or the cursors make no sense.
func (p *Producer) publish(rec []byte, class Class) event.Cause {
	if !p.acquire() {
		return event.CauseLock
	}
	defer p.lock().CompareAndSwap(p.pid, 0)
	// A reader that starts puts both cursors to 0 whatever is being written:
	// head is moved only from where it was, and the record written again.
	for range publishTries {
		head, tail := p.u32(offHead).Load(), p.u32(offTail).Load()
		if head >= p.size || tail >= p.size {
			return event.CauseRing
		}
		room := free(head, tail, p.size)
		if class == Normal {
			room -= min(room, p.size/reserveShare)
		}
		if uint64(len(rec)) > uint64(room) {
			return event.CauseRingFull
		}
		copy(p.data[head:], rec)
		if p.u32(offHead).CompareAndSwap(head, advance(head, uint32(len(rec)), p.size)) {
			return published
		}
	}
	return event.CauseRing
}

// publishTries is how often a record is written again because head has moved:
// only a reader moves it, once when it starts.
const publishTries = 8

// Waiting for another producer: it holds the lock for one copy, unless it has
// died or is stopped.
const (
	lockSpins = 200
	lockPause = 100 * time.Microsecond
	lockTries = 2000 // pauses: 0.2 s
)

// acquire takes the lock among producers. A dead owner loses it.
func (p *Producer) acquire() bool {
	for range lockSpins {
		if p.lock().CompareAndSwap(0, p.pid) {
			return true
		}
	}
	for i := range lockTries {
		owner := p.lock().Load()
		if owner == 0 || owner == p.pid || i%100 == 0 && !alive(int(owner&0x7fffffff)) {
			// The lock of a process with our own pid is what an earlier one left.
			if p.lock().CompareAndSwap(owner, p.pid) {
				return true
			}
			continue
		}
		time.Sleep(lockPause)
	}
	return false
}

// Waiting for the reader to make room.
const (
	roomPause    = 50 * time.Microsecond
	roomPauseMax = 2 * time.Millisecond
	roomCheck    = 64 // pauses between looks whether the reader lives
)

// waitForRoom pauses. It returns false when the reader has gone, so that there
// is nothing to wait for.
func (p *Producer) waitForRoom() bool {
	p.wake()
	time.Sleep(min(roomPause<<min(p.waited, 6), roomPauseMax))
	p.waited++
	if p.waited%roomCheck == 0 && !alive(int(p.reader)) {
		p.log.Warn().Int32("pid", p.reader).Msg("the reader of the ring has died: nothing is held back any more")
		return false
	}
	return p.Active()
}

// wake wakes a reader of ours that sleeps.
func (p *Producer) wake() {
	if !p.ext {
		return
	}
	if w := p.u32(offExtFutex); w.Load() == 1 && w.CompareAndSwap(1, 0) {
		sys.FutexWake(w, 1)
	}
}
