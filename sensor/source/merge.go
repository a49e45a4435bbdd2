package source

import (
	"math"
	"os"
	"time"

	"github.com/pdig/pdig/event"
)

// Ring is one of the rings of a producer that has several, as kernels have one for
// each CPU. None of its methods waits.
type Ring interface {
	// Load looks for records that have been written, and frees the room of those
	// that were taken.
	Load()
	// Peek is the oldest record that was loaded, valid until the Take that follows,
	// or nil. The time of a record is in its first 8 bytes.
	Peek() []byte
	// CPU is the one on which the record of Peek was made.
	CPU() uint16
	// Take gives up the record that Peek has returned.
	Take()
}

// Rings is a producer with several rings.
type Rings interface {
	// Rings are those that there are now. A change is seen at the next look.
	Rings() []Ring
	// Stats counts what was written and lost; what was delivered is counted here.
	Stats() event.Stats
	// Close ends the recording and releases the rings.
	Close() error
}

// How long nobody looks for new records when there are none: the pause gets
// twice as long each time, until there were enough of them since the last one. The
// few that the pauses themselves make in a kernel that tells of all switches must
// not keep the reader awake.
const (
	minPause = 500 * time.Microsecond
	maxPause = 30 * time.Millisecond
	enough   = 64
)

// Merged is a source of the records of several rings in the order of their times.
//
// A thread that goes from one CPU to another has its records in two rings. So a
// record is handed out only if it is older than the last look at all rings: what
// came before it has been seen then.
type Merged struct {
	from      Rings
	rings     []Ring
	times     []uint64 // of the oldest record of each, or none
	last      int      // the ring whose record is lent, -1 for none
	horizon   uint64   // when the rings were looked at, ns since the epoch
	held      int      // looks in a row after which nothing was old enough
	pause     time.Duration
	since     int // records since the last pause
	run       int // records since the last look at the clock
	delivered uint64
	slack     uint64 // ns that a record has to be older than the look
	now       func() uint64
}

// none is the time of a ring without a record.
const none = math.MaxUint64

// Merge returns the source of the records of d.
func Merge(d Rings) *Merged {
	return &Merged{from: d, last: -1, now: func() uint64 { return uint64(time.Now().UnixNano()) }}
}

// Slack says that a record may be that much older than the moment at which it can be
// seen: a tracer looks at the clock before it makes the record.
func (m *Merged) Slack(d time.Duration) { m.slack = uint64(d) }

// Next implements [Source].
func (m *Merged) Next() ([]byte, error) {
	rec, err := m.Poll()
	if err != nil {
		m.rest()
	}
	return rec, err
}

// Poll is Next that does not wait.
func (m *Merged) Poll() ([]byte, error) {
	if m.last >= 0 {
		m.rings[m.last].Take()
		if rec := m.alone(); rec != nil {
			return rec, nil
		}
		m.look(m.last)
		m.last = -1
	}
	i, t := m.oldest()
	if t == none || t > m.horizon {
		if i, t = m.refill(); t == none || t > m.horizon {
			return nil, os.ErrDeadlineExceeded
		}
	}
	m.since++
	m.last = i
	m.delivered++
	return m.rings[i].Peek(), nil
}

// Leave gives up the record that was lent, and what is known of the rings: those that
// follow may be others.
func (m *Merged) Leave() {
	if m.last >= 0 {
		m.rings[m.last].Take()
	}
	m.rings, m.times, m.last, m.run = nil, m.times[:0], -1, 0
}

// maxRun bounds how many records of one ring come without a look at the clock: there
// may be more rings meanwhile.
const maxRun = 1024

// alone is the next record of a ring that is the only one, and so has no order to keep.
func (m *Merged) alone() []byte {
	if m.run++; len(m.rings) > 1 || m.run > maxRun {
		m.run = 0
		return nil
	}
	rec := m.rings[0].Peek()
	if rec != nil {
		m.since++
		m.delivered++
	}
	return rec
}

// rest waits until there may be records.
func (m *Merged) rest() {
	if m.since >= enough {
		m.pause = 0
	}
	m.since = 0
	m.pause = min(max(2*m.pause, minPause), maxPause)
	time.Sleep(m.pause)
}

// maxHeld is after how many looks, with pauses between them, a record from the
// future is handed out all the same: the clock was set back.
const maxHeld = 8

// refill looks at all rings.
func (m *Merged) refill() (ring int, t uint64) {
	m.rings = m.from.Rings()
	for len(m.times) < len(m.rings) {
		m.times = append(m.times, none)
	}
	m.times = m.times[:len(m.rings)]
	now := m.now()
	m.horizon = now - m.slack
	for i, r := range m.rings {
		r.Load()
		m.look(i)
	}
	ring, t = m.oldest()
	switch {
	case t == none || t <= m.horizon:
		m.held = 0
	case t <= now: // it will be old enough
	case m.held < maxHeld:
		m.held++
	default:
		m.horizon = none - 1
	}
	return ring, t
}

// look notes the time of the oldest record of a ring.
func (m *Merged) look(i int) {
	m.times[i] = none
	if rec := m.rings[i].Peek(); rec != nil {
		m.times[i] = min(event.Time(rec), none-1)
	}
}

func (m *Merged) oldest() (ring int, t uint64) {
	t = none
	for i, x := range m.times {
		if x < t {
			ring, t = i, x
		}
	}
	return ring, t
}

// Place is where the last record was made: the sensor's Placer.
func (m *Merged) Place() (cpu uint16, hidden bool) {
	if m.last < 0 {
		return 0, false
	}
	return m.rings[m.last].CPU(), false
}

// Stats implements [Source].
func (m *Merged) Stats() event.Stats {
	s := m.from.Stats()
	s.Delivered = m.delivered
	return s
}

// Close implements [Source].
func (m *Merged) Close() error { return m.from.Close() }
