package shm

import "github.com/pdig/pdig/event"

// Stop asks for no more than what is in the ring: [Consumer.Next] returns that,
// then [io.EOF]. Producers find the gate closed, and what those write that do
// not look at it is read as far as the ring can have held it, and counts nowhere
// else. It is for the goroutine that calls Next.
func (c *Consumer) Stop() {
	if c.stopping || c.err != nil {
		return
	}
	c.stopping = true
	var err error // the next call of Next finds it too
	defer c.catch(arm(), &err)
	c.left, c.empty = int64(c.size), 0
	c.stopped.Store(1)
	c.tally.update(&c.page)
}

// stoppedLooks is how often an empty ring is looked at because a producer may
// be in the middle of a record, at most for about 300 ms.
const stoppedLooks = 10

// drained reports whether nothing more comes out of a ring that has been
// stopped and is empty: all that was tried has been read or is lost.
func (c *Consumer) drained() bool {
	c.tally.update(&c.page)
	if s := c.tally.stats(); s.Delivered+s.LostTotal() < s.Seen && c.empty < stoppedLooks {
		return false
	}
	c.tally.settle()
	return true
}

// forgo is told that what has been counted since own was the tally was not
// wanted. What was missed in a pause, and has come since, is not lost.
func (t *tally) forgo(own [event.NumCauses]uint64) {
	for cause, n := range own {
		t.evts.total -= min(t.evts.total, t.own[cause]-n)
	}
	t.own = own
	s := t.stats()
	t.evts.total = s.Delivered + s.LostTotal()
}
