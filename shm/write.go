package shm

import (
	"encoding/binary"
	"time"

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

// Write puts one record into the ring, with the truth behind it if it has one, and
// reports whether it did. A record
// that it did not take is counted, unless nobody reads, or no longer the reader
// that was there when the call began.
//
// With [ProducerConfig.Block] it waits while the ring is full, or another
// producer holds it: until there is room, the reader pauses, ends or dies, or
// somebody calls [Producer.Release]. A reader that cannot be seen, because it has another pid
// namespace or had died before, is given up when it has made no room for a
// second; as is the record when [Producer.GiveUp] says so.
func (p *Producer) Write(rec []byte, class Class) (ok bool) {
	if p.adrift {
		return false
	}
	defer p.rescue(arm())
	if !p.gate() {
		return false
	}
	p.attempt()
	rec, truth := p.truth(rec, class)
	cause := p.refuse(rec[:len(rec)-truth], class)
	if cause == published {
		cause = p.publish(rec, class)
	}
	if p.cfg.Block && passes(cause) {
		cause = p.block(rec, class, cause)
	}
	switch cause {
	case published:
		if p.reader.ext {
			p.published.Add(1)
			if p.wake(asleep); p.filled {
				p.wake(resting)
			}
		}
		return true
	case withdrawn:
	default:
		p.lose(cause)
	}
	return false
}

// truth is the size of a truth behind a record, which is cut off if the reader wants
// none or the ring has no room for both.
func (p *Producer) truth(rec []byte, class Class) (_ []byte, size int) {
	n, ok := event.Length(rec)
	if !ok || n < event.HeaderSize || n >= len(rec) {
		return rec, 0
	}
	size, _ = event.TruthSize(rec[n:])
	switch {
	case size != len(rec)-n:
		return rec, 0 // no truth, and no record either
	case !p.reader.truth, uint64(len(rec)) > uint64(p.capacity(class)):
		return rec[:n], 0
	}
	return rec, size
}

// What can become of a record beside a loss.
const (
	published = event.NumCauses + iota
	withdrawn // it was made for a reader that reads no more
)

// passes reports whether a cause may be gone in a moment.
func passes(c event.Cause) bool { return c == event.CauseRingFull || c == event.CauseLock }

// refuse keeps out of the ring what would do harm there: a length that is not
// that of the record sends readers astray, an event code that they do not know
// crashes some.
func (p *Producer) refuse(rec []byte, class Class) event.Cause {
	const offType = 20
	n, ok := event.Length(rec)
	switch {
	case len(rec) > event.MaxSize, uint64(len(rec)) > uint64(p.capacity(class)):
		return event.CauseTooLarge
	case !ok, n != len(rec), n < event.HeaderSize:
		return event.CauseEncode
	case int(binary.NativeEndian.Uint16(rec[offType:])) >= p.ceiling:
		return event.CauseUnknown
	}
	return published
}

// capacity is how many bytes records of a class find in an empty ring.
func (p *Producer) capacity(class Class) uint32 {
	if class == Vital {
		return p.size - 1
	}
	return p.size - 1 - p.size/reserveShare
}

// publishTries is how often a record is written again because head has moved.
// Only a reader moves it beside the owner of the lock, once, when it begins.
const publishTries = 8

// publish copies the record behind head and moves head, unless there is no
// room or the cursors make no sense.
func (p *Producer) publish(rec []byte, class Class) event.Cause {
	if !p.acquire() {
		return event.CauseLock
	}
	cause := event.CauseRing
	for range publishTries {
		// Another reader may know less than the one that the record is for.
		if pid := int32(p.capturing.Load()); pid != p.reader.pid || p.start.Load() != p.reader.stamp {
			cause = withdrawn
			if pid == 0 {
				cause = event.CauseReader
			}
			break
		}
		head, tail := p.head.Load(), p.tail.Load()
		if head >= p.size || tail >= p.size {
			break
		}
		n := used(head, tail, p.size) + uint32(len(rec))
		if n > p.capacity(class) {
			cause = event.CauseRingFull
			break
		}
		p.filled = n > p.size/2
		copyIn(p.data, head, rec)
		// A reader that begins puts head to 0, whatever is being written: it
		// is moved from where it was or not at all.
		if p.head.CompareAndSwap(head, advance(head, uint32(len(rec)), p.size)) {
			cause = published
			break
		}
		if p.lock.Load() != p.me {
			cause = event.CauseLock // taken away: others write there now
			break
		}
	}
	p.unlock()
	return cause
}

// Waiting for room. The pause is how long a producer may oversleep when the
// reader does not wake it, as others than ours do not.
const (
	roomSpins    = 200
	roomPause    = 50 * time.Microsecond
	roomPauseMax = 2 * time.Millisecond
	roomLook     = 20 * time.Millisecond // between looks whether the reader lives
	roomUnseen   = time.Second           // for a reader that cannot be seen
)

// block waits until what kept the record out has passed and publishes it, or
// says why it gave up.
func (p *Producer) block(rec []byte, class Class, cause event.Cause) event.Cause {
	pid, stamp := p.reader.pid, p.reader.stamp
	tail, now := p.tail.Load(), time.Now()
	moved, looked := now, now
	if p.stands = p.stands && p.standsAt == tail; p.stands {
		moved, looked = now.Add(-roomUnseen), now.Add(-roomLook)
	}
	for pause := roomPause; ; pause = min(2*pause, roomPauseMax) {
		if t := p.tail.Load(); t != tail {
			tail, moved, pause = t, now, roomPause
			p.reader.idle = false
		}
		if now.Sub(looked) >= roomLook {
			looked = now
			p.lookNow.Store(true)
			if now.Sub(moved) >= roomUnseen && p.giveUp != nil && p.giveUp() {
				p.stands, p.standsAt = true, tail
				return cause
			}
		}
		if !p.gate() || p.released.Load() || p.abandoned(tail, now.Sub(moved)) {
			return event.CauseReader
		}
		if p.reader.pid != pid || p.reader.stamp != stamp {
			return withdrawn
		}
		p.sleep(tail, pause)
		now = time.Now()
		if cause = p.publish(rec, class); !passes(cause) {
			return cause
		}
	}
}

// abandoned gives a reader up that cannot be seen and makes no room. It is not
// waited for again before it does.
func (p *Producer) abandoned(tail uint32, stood time.Duration) bool {
	r := &p.reader
	if r.start != 0 {
		return false
	}
	if !r.idle && stood >= roomUnseen {
		r.idle, r.idleAt = true, tail
		p.cfg.Log.Warn().Str("ring", p.name).Int32("pid", r.pid).Msg("reader cannot be seen and makes no room: not waited for")
	}
	return r.idle && r.idleAt == tail
}

// sleep waits until the tail moves, and no longer than a pause.
func (p *Producer) sleep(tail uint32, pause time.Duration) {
	for range roomSpins {
		if p.tail.Load() != tail {
			return
		}
	}
	if p.reader.ext {
		p.wake(asleep | resting) // it has not seen what fills the ring
		p.futex.Or(roomWanted)
	}
	sys.FutexWait(p.tail, tail, pause)
}

// wake wakes a reader of ours that sleeps in one of the ways of which bits are
// given. That costs a system call only then.
func (p *Producer) wake(bits uint32) {
	if p.futex.Load()&bits != 0 && p.futex.And(^bits)&bits != 0 {
		sys.FutexWake(p.futex, 1)
	}
}
