package shm

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
)

// Next returns the oldest unread record, a copy in a buffer of the consumer
// that is valid until the following call. Its length is that of its header, its
// type is in the table, and there is room for as many lengths as it has
// parameters; those are still to be checked. The record of its truth, if it has
// one, stands behind it. Records that are none are counted
// and skipped.
//
// When nothing comes for a while, of at most about 100 ms, the error is
// [os.ErrDeadlineExceeded]. After any other error nothing will come:
// [ErrTakenOver], [ErrCut], [ErrClosed], and [io.EOF] after [Consumer.Stop].
func (c *Consumer) Next() ([]byte, error) {
	return c.next(true)
}

// Poll is Next that does not wait.
func (c *Consumer) Poll() ([]byte, error) {
	return c.next(false)
}

func (c *Consumer) next(wait bool) ([]byte, error) {
	rec := c.take()
	if rec == nil {
		// Not more than one look a call: whatever is in the ring, the caller gets
		// back to what else it has to do.
		if err := c.refill(wait); err != nil {
			return nil, err
		}
		if rec = c.take(); rec == nil {
			return nil, os.ErrDeadlineExceeded
		}
	}
	c.tally.delivered++
	return rec, nil
}

// take returns the next record of the copy, or nil if there is no more that is
// complete.
func (c *Consumer) take() []byte {
	for {
		rec, ok := event.Cut(c.buf[c.at:c.n])
		if !ok {
			c.resync()
			return nil
		}
		if rec == nil {
			return nil
		}
		truth, ok := c.truth(c.buf[c.at+len(rec) : c.n])
		if !ok {
			return nil
		}
		whole := c.buf[c.at : c.at+len(rec)+truth : c.at+len(rec)+truth]
		c.at += len(whole)
		if cause := event.Odd(rec); cause < event.NumCauses {
			c.tally.own[cause]++
			continue
		}
		return whole
	}
}

// truth is the size of the record of a truth that behind, the bytes after a record,
// begins with. It is not ok if more has to be copied to tell: the two are published
// at once.
func (c *Consumer) truth(behind []byte) (size int, ok bool) {
	size, ok = event.TruthSize(behind)
	return size, ok || c.pos == c.end || c.stopping && c.left == 0
}

// resync gives up the rest of a batch, in which no record can be found any
// more. It counts as one, since nobody can tell how many they were.
func (c *Consumer) resync() {
	c.tally.own[event.CauseCorrupt]++
	c.at, c.n = 0, 0
	c.pos = c.end
}

// refill gets more bytes out of the ring, or waits a while for them if it may.
func (c *Consumer) refill(wait bool) (err error) {
	if c.err != nil {
		return c.err
	}
	defer func() {
		if errors.Is(err, ErrCut) {
			c.err = err
		}
	}()
	defer c.catch(arm(), &err)
	if pid := c.capturing.Load(); pid != c.pid {
		c.err = fmt.Errorf("ring %s: %w: the capturing process is %d", c.name, ErrTakenOver, int32(pid))
		return c.err
	}
	if c.stopping && c.left == 0 {
		return io.EOF
	}
	if c.load() {
		return nil
	}
	if c.stopping && c.drained() {
		return io.EOF
	}
	if !wait {
		return nil
	}
	c.wait()
	if !c.load() {
		c.settle()
	}
	return nil
}

// load copies what fits out of the ring and releases it at once: what is in
// the buffer is out of the reach of the producer, and room in the ring is what
// others may be waiting for. It reports whether there was something.
func (c *Consumer) load() bool {
	c.n = copy(c.buf, c.buf[c.at:c.n])
	c.at = 0
	if c.tail.Load() != c.freed {
		c.tally.own[event.CauseRing]++ // nobody else may write it
		c.release()
	}
	head := c.head.Load()
	if head >= c.size {
		c.tally.own[event.CauseRing]++
		c.head.CompareAndSwap(head, c.pos)
		return false
	}
	c.end = head
	got := min(used(head, c.pos, c.size), uint32(len(c.buf)-c.n))
	if c.stopping {
		got = uint32(min(int64(got), c.left))
		c.left -= int64(got)
	}
	copyOut(c.buf[c.n:c.n+int(got)], c.data, c.pos)
	c.pos = advance(c.pos, got, c.size)
	if c.pos != c.freed {
		c.release()
	}
	if got == 0 {
		if c.n > 0 {
			c.resync() // records are published whole
		}
		return false
	}
	c.n += int(got)
	c.empty = 0
	return true
}

// release gives the bytes up to pos back to the producers.
func (c *Consumer) release() {
	c.freed = c.pos
	c.tail.Store(c.freed)
	if c.ours && c.futex.Load()&roomWanted != 0 {
		c.futex.And(^uint32(roomWanted))
		sys.FutexWake(c.tail, math.MaxInt32)
	}
}

// Pauses of a reader that finds nothing. In the first, nobody wakes it before
// the ring is half full, so that a steady flow of records costs its producer no
// system calls; then it is woken by the next record. Where no producer does
// that, it looks again, as udig's readers do, after pauses that double. When it has
// found nothing for long it looks less often: a look wakes the Go runtime, which takes
// more time than the look does.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 30 * time.Millisecond
	longPause  = 100 * time.Millisecond
	long       = 30 // looks
)

// pause is how long to sleep after so many looks that have found nothing.
func pause(empty int) time.Duration {
	if empty > long {
		return longPause
	}
	return min(firstPause<<min(empty, 10), lastPause)
}

// wait waits a while for records.
func (c *Consumer) wait() {
	if pid := c.page.producer.Load(); c.ours && pid != c.peer {
		c.peer = pid
		if pid != 0 {
			c.cfg.Log.Info().Str("ring", c.name).Int32("pid", int32(pid)).Msg("producer connected")
		}
	}
	switch {
	case !c.ours || c.peer == 0:
		time.Sleep(pause(c.empty))
	case c.empty == 0:
		c.doze(resting, firstPause)
	default:
		c.doze(asleep, max(pause(c.empty), lastPause))
	}
	c.empty++
}

// doze sleeps until a producer of ours finds the bit and has a reason, but not
// for long: there may be other producers.
func (c *Consumer) doze(bit uint32, most time.Duration) {
	word := c.futex.Or(bit) | bit
	// A head outside of the ring is none that is worth staying awake for.
	if head := c.head.Load(); head == c.pos || head >= c.size {
		sys.FutexWait(c.futex, word, most)
	}
	c.futex.And(^bit)
}
