package shm

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// ConsumerConfig is how a ring is read.
type ConsumerConfig struct {
	Config
	// Snaplen is how many bytes of data the producer is asked for; 0 is 80.
	Snaplen int
	// Ceiling is how many event codes a producer of ours is told to know of; 0
	// is all.
	Ceiling int
	// Truth asks for the truth behind the records of calls, see [event.Truth]:
	// for each open it costs the tracer some system calls.
	Truth bool
	// Find is for a ring that others make: one that is not there, complete, is an
	// error at once, [os.ErrNotExist] if an object is missing.
	Find bool
	// Log hears of what is odd but no error. The zero Logger is silent.
	Log zerolog.Logger
}

// Consumer reads the records of a ring. It is a source of the sensor.
type Consumer struct {
	*ring
	cfg   ConsumerConfig
	pid   uint32
	tally tally

	// What was copied out of the ring and not yet handed out is buf[at:n]. What
	// follows it is in the ring from pos on; when the ring was last looked at,
	// it ended at end.
	buf      []byte
	at, n    int
	pos, end uint32
	freed    uint32 // the tail as this consumer has written it

	empty  int    // looks in a row that found nothing
	evtsAt uint64 // the producers' counter at the last of them
	ours   bool   // the extension is in use
	peer   uint32 // pid of the producer that was last seen there
	err    error  // nothing can be read any more

	touched byte // see [Consumer.Touch]

	stopping bool
	left     int64 // bytes that may still be read
}

// bufSize is that of the copy: the ring is read in pieces that stay in the
// processor's cache. It holds more than one record of any size.
const bufSize = 2 * event.MaxSize

// NewConsumer opens the ring, or creates it unless Find is set, and begins: what is in
// it is dropped. The error is [ErrBusy] if another consumer lives.
func NewConsumer(cfg ConsumerConfig) (*Consumer, error) {
	r, err := cfg.open(opening{find: cfg.Find})
	if errors.Is(err, errMissing) {
		err = fmt.Errorf("ring %s: %w", cfg.Prefix, os.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	c := &Consumer{ring: r, cfg: cfg, pid: uint32(os.Getpid()), buf: make([]byte, bufSize)}
	if err := c.begin(); err != nil {
		c.unmap()
		return nil, err
	}
	r.opened(&cfg.Log)
	return c, nil
}

// begin makes this process the one that captures, as udig's consumers do. They
// reset the ring before they write their pid; here the pid comes first, so that
// of two consumers that begin at once one fails before it does harm, and the
// gate is closed by the flag meanwhile.
func (c *Consumer) begin() (err error) {
	defer c.catch(arm(), &err)
	start, _ := look(int32(c.pid))
	old := c.capturing.Load()
	if c.busy(int32(old)) {
		return &BusyError{c.name, int(int32(old))}
	}
	c.stopped.Store(1)
	if !c.capturing.CompareAndSwap(old, c.pid) {
		c.stopped.Store(0) // the other one has opened the gate, or will
		return &BusyError{c.name, int(int32(c.capturing.Load()))}
	}
	if old != 0 {
		c.cfg.Log.Warn().Str("ring", c.name).Int32("pid", int32(old)).Msg("taken over from a dead consumer")
	}
	c.extend(start)
	c.head.Store(0)
	c.tail.Store(0)
	c.evts.Store(0)
	c.full.Store(0)
	c.faults.Store(0)
	clear(c.lastPrint)
	clear(c.settings)
	snaplen := uint32(defaultSnaplen)
	if n := c.cfg.Snaplen; n > 0 {
		snaplen = uint32(min(n, maxSnaplen))
	}
	c.snaplen.Store(snaplen)
	c.ratio.Store(1)
	binary.NativeEndian.PutUint16(c.statsd, statsdPort)
	c.stopped.Store(0)
	return nil
}

// busy reports whether the process that captures lives, and is not a later one
// with its pid.
func (c *Consumer) busy(pid int32) bool {
	start, l := look(pid)
	if l == gone {
		return false
	}
	wrote := c.start.Load()
	known := wrote != 0 && c.magic.Load() == extMagic && int32(c.consumed.Load()) == pid
	switch {
	case known && start != 0:
		return start == wrote
	case uint32(pid) == c.pid:
		return false // an earlier process had the pid that is ours now
	}
	return true
}

// extend writes the extension: what this consumer knows. Without a start time
// nobody could believe it.
func (c *Consumer) extend(start uint64) {
	c.start.Store(0)
	clear(c.ext)
	if start == 0 {
		return
	}
	c.version.Store(extVersion)
	c.extSize.Store(extSize)
	c.consumed.Store(c.pid)
	c.ceiling.Store(uint32(cmp.Or(c.cfg.Ceiling, syscalls.CeilingNewest)))
	if c.cfg.Truth {
		c.wants.Store(wantsTruth)
	}
	c.magic.Store(extMagic)
	c.start.Store(start)
	c.ours = true
}

// Close ends the capture and lets go of the ring. The objects stay. What was
// not read is counted, unless [Consumer.Stop] has said that it is not wanted;
// [Consumer.Stats] stays valid.
func (c *Consumer) Close() error {
	if errors.Is(c.err, ErrClosed) {
		return c.err
	}
	err := c.finish()
	c.unmap()
	c.err = ErrClosed
	c.at, c.n = 0, 0
	return err
}

// finish closes the gate and counts what is left.
func (c *Consumer) finish() (err error) {
	defer c.catch(arm(), &err)
	if c.err == nil {
		if c.ours {
			c.start.Store(0)
			c.magic.Store(0)
		}
		if c.stopping && c.capturing.Load() == c.pid {
			c.stopped.Store(0) // from here on it is the pid that closes the gate
		}
		c.capturing.CompareAndSwap(c.pid, 0)
		before := c.tally.own
		// A producer that does not look at the gate could go on for ever.
		for left := int64(c.size) + 2*bufSize; left > 0; left -= bufSize {
			for c.take() != nil {
				c.tally.own[event.CauseUnread]++
			}
			if !c.load() {
				break
			}
		}
		if c.stopping {
			c.tally.forgo(before)
			return nil
		}
		c.tally.update(&c.page)
	}
	c.tally.settle() // what producers are in the middle of comes too late
	return nil
}
