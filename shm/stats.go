package shm

import (
	"time"

	"github.com/pdig/pdig/event"
)

// counter follows a number that other processes count up.
type counter struct{ last, total uint64 }

// maxStep is more than anybody can count between two looks.
const maxStep = 1 << 40

// update adds what was counted since the last look, and returns 1 if the
// number makes no sense: it has gone back, or too far.
func (c *counter) update(now uint64) (odd uint64) {
	step := now - c.last
	c.last = now
	if step > maxStep { // also if it is negative
		return 1
	}
	c.total += step
	return 0
}

// tally is what became of the records of one capture. Numbers of producers are
// believed as far as they do not contradict each other.
type tally struct {
	delivered          uint64
	own                [event.NumCauses]uint64 // lost on this side
	vanished           uint64                  // when it was last quiet
	evts, full, faults counter
	lost               [extLost]counter
}

// update reads the producers' counters. They count a record first as tried,
// then as lost, then the cause, so they are read the other way round.
func (t *tally) update(p *page) {
	odd := &t.own[event.CauseCounter]
	for i := range t.lost {
		*odd += t.lost[i].update(p.lost[i].Load())
	}
	*odd += t.faults.update(p.faults.Load())
	*odd += t.full.update(p.full.Load())
	*odd += t.evts.update(p.evts.Load())
}

// stats sums up. Two counters of the ring say how many records producers have
// lost; those of the extension only say of how many of them the cause is known.
func (t *tally) stats() event.Stats {
	s := event.Stats{Delivered: t.delivered, Lost: t.own}
	full, faults := t.full.total, t.faults.total
	for cause := event.Cause(0); cause < extLost; cause++ {
		sum := &full
		switch cause {
		case event.CauseRingFull, event.CauseEncode:
			continue
		case event.CauseUnknown:
			sum = &faults
		}
		n := min(t.lost[cause].total, *sum)
		*sum -= n
		s.Lost[cause] += n
	}
	s.Lost[event.CauseRingFull] += full
	s.Lost[event.CauseEncode] += faults
	// A producer that was only slow may have corrected the number since.
	known := s.Delivered + s.LostTotal()
	s.Seen = max(t.evts.total, known)
	s.Lost[event.CauseVanished] = min(t.vanished, s.Seen-known)
	return s
}

// settle is told that the ring is empty and no record is being written, or will
// be read any more: what was tried and is not known to be anywhere will not
// come.
func (t *tally) settle() {
	t.vanished = 0
	s := t.stats()
	t.vanished = s.Seen - s.Delivered - s.LostTotal()
}

// settle looks at the counters after a pause in which nothing came.
func (c *Consumer) settle() {
	c.tally.update(&c.page)
	if evts := c.tally.evts.last; evts == c.evtsAt && c.empty > 1 {
		c.tally.settle()
	} else {
		c.evtsAt = evts
	}
}

// Stats counts from the beginning of this consumer.
func (c *Consumer) Stats() event.Stats {
	if c.err == nil {
		c.refresh()
	}
	return c.tally.stats()
}

// refresh reads the counters of a ring that may have been cut.
func (c *Consumer) refresh() {
	var err error // the next call of Next finds it too
	defer c.catch(arm(), &err)
	c.tally.update(&c.page)
}

// Name is that of the ring: the path of its objects without their endings.
func (c *Consumer) Name() string { return c.name }

// Moved reports whether the names of the ring stand for other objects now, or for
// none: producers that come go there.
func (c *Consumer) Moved() bool { return c.moved() }

// Touch has the next call of Next say that an object was cut off, also if nobody writes
// and so nobody reads any more.
func (c *Consumer) Touch() {
	if c.err != nil {
		return
	}
	defer c.catch(arm(), &c.err)
	c.capturing.Load()
	c.touched = c.data[c.size-1]
}

// Writer is the process that came first of those of ours that write the ring, 0 if
// there is none, and its last sign of life: it gives one each second.
func (c *Consumer) Writer() (pid int, sign time.Time) {
	if c.err != nil || !c.ours {
		return 0, time.Time{}
	}
	var err error // the next call of Next finds it too
	defer c.catch(arm(), &err)
	return int(int32(c.page.producer.Load())), time.Unix(0, int64(c.heartbeat.Load()))
}
