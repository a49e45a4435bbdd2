package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// ErrBusy means that another consumer reads the ring.
var ErrBusy = errors.New("another consumer reads the ring")

// ErrRing means that the ring is of no use any more.
var ErrRing = errors.New("the ring was cut off under the mapping")

// ConsumerConfig is how a ring is read.
type ConsumerConfig struct {
	Config
	// Snaplen is how many bytes of data the producer is asked for; 0 is 80.
	Snaplen int
	Log     zerolog.Logger
}

// Consumer reads the records of a ring.
type Consumer struct {
	ring
	log       zerolog.Logger
	pos, end  uint32 // the batch: what was in the ring when it was last looked at
	quiet     int    // looks in a row that found nothing
	delivered uint64
	corrupt   uint64
	evts      counter
	full      counter
	other     counter
	lost      [event.NumCauses]counter
	broken    bool
	armed     bool
}

// counter follows a number that another process counts up. A number that goes
// back is taken for a new beginning.
type counter struct{ last, total uint64 }

func (c *counter) update(now uint64) {
	if now > c.last {
		c.total += now - c.last
	}
	c.last = now
}

// NewConsumer opens the ring, or creates it, and begins: what is in it is
// dropped. The error is [ErrBusy] if another consumer lives.
func NewConsumer(cfg ConsumerConfig) (*Consumer, error) {
	r, err := cfg.open(true)
	if err != nil {
		return nil, err
	}
	c := &Consumer{ring: *r, log: cfg.Log}
	if err := c.begin(cfg); err != nil {
		c.unmap()
		return nil, err
	}
	return c, nil
}

// begin takes the ring over, as udig does: cursors and counters at zero, then
// the pid, then the settings.
func (c *Consumer) begin(cfg ConsumerConfig) (err error) {
	defer c.rescue(&err)
	c.arm()
	pid := int32(os.Getpid())
	capturing := c.status(offCapturing)
	if old := int32(capturing.Load()); old != 0 && old != pid {
		if c.living(old) {
			return fmt.Errorf("%w %s: pid %d: end it, or use another --ring", ErrBusy, c.name, old)
		}
		if !capturing.CompareAndSwap(uint32(old), 0) {
			return fmt.Errorf("%w %s: it has just begun", ErrBusy, c.name)
		}
		c.log.Warn().Int32("pid", old).Msg("the last consumer of the ring has died: taken over")
	} else {
		capturing.Store(0)
	}
	c.extend(pid)
	c.u32(offHead).Store(0)
	c.u32(offTail).Store(0)
	c.u64(offEvts).Store(0)
	c.u64(offDrops).Store(0)
	c.u64(c.layout.faults).Store(0)
	clear(c.page.b[c.layout.status+offConsumer : c.layout.status+statusSize])
	snaplen := uint32(defaultSnaplen)
	if cfg.Snaplen > 0 {
		snaplen = uint32(cfg.Snaplen)
	}
	c.status(offSnaplen).Store(snaplen)
	c.status(offRatio).Store(1)
	binary.NativeEndian.PutUint16(c.page.b[c.layout.status+offStatsdPort:], statsdPort)
	c.status(offStopped).Store(0)
	if !capturing.CompareAndSwap(0, uint32(pid)) {
		return fmt.Errorf("%w %s: it has just begun", ErrBusy, c.name)
	}
	return nil
}

// living reports whether the process that captures is a living one, and not
// another with its pid.
func (c *Consumer) living(pid int32) bool {
	if !alive(int(pid)) {
		return false
	}
	named := c.layout == layoutA && c.u64(offMagic).Load() == extMagic && int32(c.u32(offExtConsumer).Load()) == pid
	return !named || c.extended(pid)
}

// extend writes the extension: what this reader knows.
func (c *Consumer) extend(pid int32) {
	start, ok := startTime(int(pid))
	if c.layout != layoutA || !ok {
		return
	}
	clear(c.page.b[offMagic : offMagic+extSize])
	c.u32(offVersion).Store(extVersion)
	c.u32(offSize).Store(extSize)
	c.u32(offExtConsumer).Store(uint32(pid))
	c.u32(offExtCeiling).Store(syscalls.CeilingNewest)
	c.u64(offExtStart).Store(start)
	c.u64(offMagic).Store(extMagic)
}

// Close ends the capture and lets go of the ring. The objects stay.
func (c *Consumer) Close() (err error) {
	if c.broken {
		return nil
	}
	defer c.rescue(&err)
	c.arm()
	c.status(offCapturing).CompareAndSwap(uint32(os.Getpid()), 0)
	c.unmap()
	c.broken = true
	return nil
}

func (c *Consumer) arm() {
	if !c.armed {
		debug.SetPanicOnFault(true)
		c.armed = true
	}
}

// rescue turns a fault in the mapping, of a file that was cut, into ErrRing.
func (c *Consumer) rescue(err *error) {
	r := recover()
	if r == nil {
		return
	}
	if _, fault := r.(interface{ Addr() uintptr }); !fault {
		panic(r)
	}
	c.broken = true
	*err = fmt.Errorf("%w: %s", ErrRing, c.name)
}

// Next returns the oldest unread record, in the ring's own memory, which the
// producer may overwrite after the following call. Its length is that of the
// header and within the ring; all else is still to be checked. When nothing
// comes for a while the error is os.ErrDeadlineExceeded.
func (c *Consumer) Next() (rec []byte, err error) {
	if c.broken {
		return nil, ErrRing
	}
	defer c.rescue(&err)
	c.arm()
	for {
		if c.pos == c.end && !c.refill() {
			return nil, os.ErrDeadlineExceeded
		}
		if rec := c.take(); rec != nil {
			return rec, nil
		}
	}
}

// take returns the next record of the batch, or nil if it is to be skipped.
func (c *Consumer) take() []byte {
	left := used(c.end, c.pos, c.size)
	if left < event.HeaderSize {
		c.resync()
		return nil
	}
	rec := c.data[c.pos:][:left]
	n, ok := event.Length(rec)
	if !ok || n < event.HeaderSize || n > event.MaxSize || uint32(n) > left {
		c.resync()
		return nil
	}
	rec = rec[:n:n]
	c.pos = advance(c.pos, uint32(n), c.size)
	if binary.NativeEndian.Uint64(rec) == math.MaxUint64 {
		c.corrupt++ // not a time: other readers would stay here for ever
		return nil
	}
	c.delivered++
	return rec
}

// resync gives up the rest of a batch in which no record can be found. It is
// counted as one loss, since nobody can tell how many it was.
func (c *Consumer) resync() {
	c.corrupt++
	c.pos = c.end
}

// Pauses of a reader that finds nothing: as long as there may be more in a
// moment it looks again, doubling the pause; then, if the producer is ours and
// wakes it, it sleeps.
const (
	firstPause = 500 * time.Microsecond
	lastPause  = 30 * time.Millisecond
	longSleep  = 200 * time.Millisecond
	quietLooks = 5
)

// refill releases the batch that was read and looks for the next one. It
// returns false if there is still nothing after a pause.
func (c *Consumer) refill() bool {
	c.u32(offTail).Store(c.end)
	if c.look() {
		return true
	}
	if c.quiet < quietLooks || !c.woken() {
		time.Sleep(min(firstPause<<min(c.quiet, 10), lastPause))
	} else {
		c.sleep()
	}
	c.quiet++
	return c.look()
}

// look takes what is in the ring now as the next batch.
func (c *Consumer) look() bool {
	head := c.u32(offHead).Load()
	if head >= c.size {
		c.corrupt++ // a cursor outside the ring: begin anew
		c.u32(offTail).Store(0)
		c.u32(offHead).CompareAndSwap(head, 0)
		c.pos, c.end = 0, 0
		return false
	}
	if head == c.end {
		return false
	}
	c.pos, c.end, c.quiet = c.end, head, 0
	return true
}

// woken reports whether somebody writes who wakes this reader.
func (c *Consumer) woken() bool {
	return c.layout == layoutA && c.u32(offExtProducer).Load() != 0 && c.u64(offMagic).Load() == extMagic
}

// sleep waits to be woken, not for ever: another producer may write too.
func (c *Consumer) sleep() {
	w := c.u32(offExtFutex)
	w.Store(1)
	if c.u32(offHead).Load() == c.end {
		sys.FutexWait(w, 1, longSleep)
	}
	w.Store(0)
}

// Stats counts from the beginning of this consumer.
func (c *Consumer) Stats() event.Stats {
	if !c.broken {
		c.updateCounters()
	}
	s := event.Stats{Delivered: c.delivered}
	s.Seen = max(c.evts.total, c.delivered)
	s.Lost[event.CauseCorrupt] = c.corrupt
	for i := range c.lost {
		s.Lost[i] += c.lost[i].total
	}
	s.Lost[event.CauseRingFull] = max(s.Lost[event.CauseRingFull], c.full.total)
	if known := s.LostTotal() - s.Lost[event.CauseRingFull] - c.corrupt; c.other.total > known {
		s.Lost[event.CauseEncode] += c.other.total - known // of a producer without our counters
	}
	return s
}

func (c *Consumer) updateCounters() {
	var err error
	defer c.rescue(&err)
	c.arm()
	c.evts.update(c.u64(offEvts).Load())
	c.full.update(c.u64(offDrops).Load())
	c.other.update(c.u64(c.layout.faults).Load())
	if c.layout != layoutA || c.u64(offMagic).Load() != extMagic {
		return
	}
	for i := range c.lost {
		c.lost[i].update(c.u64(offExtLost + 8*i).Load())
	}
}
