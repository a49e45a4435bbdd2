package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/pdig/pdig/event"
)

// queue is a ring of records that consist of their times.
type queue struct {
	written, loaded []uint64
	rec             [8]byte
}

func (q *queue) Load() { q.loaded, q.written = append(q.loaded, q.written...), nil }

func (q *queue) Peek() []byte {
	if len(q.loaded) == 0 {
		return nil
	}
	binary.NativeEndian.PutUint64(q.rec[:], q.loaded[0])
	return q.rec[:]
}

func (q *queue) CPU() uint16 { return 0 }

func (q *queue) Take() { q.loaded = q.loaded[1:] }

type queues []*queue

func (q queues) Rings() (all []Ring) {
	for _, r := range q {
		all = append(all, r)
	}
	return all
}

func (q queues) Stats() (s event.Stats) { return s }
func (q queues) Close() error           { return nil }

func next(t *testing.T, m *Merged) uint64 {
	t.Helper()
	rec, err := m.Next()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return event.Time(rec)
}

// TestMergeWaits: a record that is younger than the look at the rings waits for the
// next look, for an older one may have been written into another ring meanwhile.
func TestMergeWaits(t *testing.T) {
	a, b := &queue{}, &queue{}
	m := Merge(queues{a, b})
	clock := uint64(100)
	m.now = func() uint64 { clock += 10; return clock }
	a.written, b.written = []uint64{50, 115}, []uint64{60}
	var got []uint64
	for range 2 {
		got = append(got, next(t, m))
	}
	b.written = []uint64{112} // while 115 waits
	for range 3 {
		if ts := next(t, m); ts != 0 {
			got = append(got, ts)
		}
	}
	if want := []uint64{50, 60, 112, 115}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestMergeSlack: a record waits as long as another one may come that is older, however
// often the rings are looked at meanwhile.
func TestMergeSlack(t *testing.T) {
	a, b := &queue{written: []uint64{1000}}, &queue{}
	m := Merge(queues{a, b})
	clock := uint64(1000)
	m.now = func() uint64 { clock++; return clock }
	m.Slack(50)
	var got []uint64
	for range 100 {
		if clock == 1040 {
			b.written = []uint64{999}
		}
		if rec, err := m.Poll(); err == nil {
			got = append(got, event.Time(rec))
		}
	}
	if !slices.Equal(got, []uint64{999, 1000}) {
		t.Errorf("got %v", got)
	}
}

// TestMergeClock: records from the future come all the same, after a while.
func TestMergeClock(t *testing.T) {
	a := &queue{written: []uint64{1000, 1001}}
	m := Merge(queues{a})
	m.now = func() uint64 { return 5 }
	var got []uint64
	for range maxHeld + 4 {
		if ts := next(t, m); ts != 0 {
			got = append(got, ts)
		}
	}
	if !slices.Equal(got, []uint64{1000, 1001}) {
		t.Errorf("got %v", got)
	}
}

// TestMergeRests: a record or two at each look do not keep the reader awake, many do.
func TestMergeRests(t *testing.T) {
	a := &queue{}
	m := Merge(queues{a})
	ts := uint64(0)
	look := func(records int) {
		for range records {
			ts++
			a.written = append(a.written, ts)
		}
		for range records {
			if next(t, m) == 0 {
				t.Fatal("a record is missing")
			}
		}
		if next(t, m) != 0 {
			t.Fatal("a record too many")
		}
	}
	for range 10 {
		look(2)
	}
	if m.pause != maxPause {
		t.Errorf("pause %v with few records, want %v", m.pause, maxPause)
	}
	look(enough)
	if m.pause != minPause {
		t.Errorf("pause %v after many records, want %v", m.pause, minPause)
	}
}

// endless is a ring that always has another record.
type endless struct {
	ts, step uint64
	rec      [8]byte
}

func (e *endless) Load() {}

func (e *endless) Peek() []byte {
	binary.NativeEndian.PutUint64(e.rec[:], e.ts)
	return e.rec[:]
}

func (e *endless) CPU() uint16 { return 0 }

func (e *endless) Take() { e.ts += e.step }

// loaded are rings that stay the same.
type loaded struct {
	queues
	rings []Ring
}

func (l loaded) Rings() []Ring { return l.rings }

func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{2, 64} {
		b.Run(fmt.Sprintf("%d rings", n), func(b *testing.B) {
			var l loaded
			for i := range n {
				l.rings = append(l.rings, &endless{ts: uint64(i), step: uint64(n)})
			}
			m := Merge(l)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
