package shm

import (
	"time"

	"github.com/pdig/pdig/internal/sys"
)

// Wait waits a while until one of several consumers may have records, for who reads
// them by [Consumer.Poll], as [Consumer.Next] does for one.
func Wait(all []*Consumer) {
	empty, wakes := long+1, len(all) > 0 && len(all) <= sys.MaxFutexes
	for _, c := range all {
		empty = min(empty, c.empty)
		wakes = wakes && c.wakes()
	}
	most, bit := pause(empty), uint32(asleep)
	switch {
	case !wakes:
	case empty == 0:
		bit = resting
	default:
		most = max(most, lastPause)
	}
	var words sys.Futexes
	nothing := true
	for _, c := range all {
		nothing = c.lieDown(bit, &words) && nothing
	}
	if nothing && !(wakes && words.Wait(most)) {
		time.Sleep(most)
	}
	for _, c := range all {
		c.standUp(bit)
	}
}

// wakes reports whether there is a producer that wakes the consumer.
func (c *Consumer) wakes() bool {
	pid, _ := c.Writer()
	return pid != 0
}

// lieDown asks to be woken, and reports whether there is nothing yet.
func (c *Consumer) lieDown(bit uint32, words *sys.Futexes) (nothing bool) {
	if c.err != nil {
		return false // the next call of Poll says so
	}
	var err error // likewise
	defer c.catch(arm(), &err)
	if c.ours {
		words.Add(c.futex, c.futex.Or(bit)|bit)
	}
	head := c.head.Load()
	return head == c.pos || head >= c.size
}

// standUp is told that the wait is over, and counts what has vanished if it was in vain.
func (c *Consumer) standUp(bit uint32) {
	if c.err != nil {
		return
	}
	var err error // the next call of Poll finds it too
	defer c.catch(arm(), &err)
	if c.ours {
		c.futex.And(^bit)
	}
	c.empty++
	if c.head.Load() == c.pos {
		c.settle()
	}
}
