package shm

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
)

// stopped reads a ring that has been stopped to its end.
func stopped(t *testing.T, c *Consumer) (records int) {
	t.Helper()
	for {
		switch _, err := next(c); {
		case err == nil:
			records++
		case errors.Is(err, io.EOF):
			return records
		default:
			t.Fatalf("after %d records: %v", records, err)
		}
	}
}

func wantStats(t *testing.T, c *Consumer, want event.Stats) {
	t.Helper()
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestStop: what is in the ring is read, and nothing is written any more.
func TestStop(t *testing.T) {
	cfg := small(testRing(t))
	c, p := newPair(t, cfg)
	const n = 100
	for seq := range uint64(n) {
		p.Write(record(1, seq, 100), Normal)
	}
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	c.Stop()
	if p.Active() || p.Write(record(1, n, 100), Vital) {
		t.Error("the gate is open")
	}
	if got := stopped(t, c); got != n-1 {
		t.Errorf("%d records after Stop, want %d", got, n-1)
	}
	if _, err := c.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want EOF", err)
	}
	wantStats(t, c, event.Stats{Seen: n, Delivered: n})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantStats(t, c, event.Stats{Seen: n, Delivered: n})

	// The next reader finds a ring that works.
	c = newConsumer(t, cfg)
	if !p.Active() || !p.Write(record(1, 0, 100), Normal) {
		t.Error("not active with the next reader")
	}
	if _, err := next(c); err != nil {
		t.Error(err)
	}
}

// TestStopUnread: what was in the ring was not asked for.
func TestStopUnread(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	for seq := range uint64(100) {
		p.Write(record(1, seq, 100), Normal)
	}
	p.Count(event.CauseEncode)
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	c.Stop()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantStats(t, c, event.Stats{Seen: 2, Delivered: 1, Lost: lostOnly(event.CauseEncode, 1)})
}

// TestStopSlow: a record that was missed in a pause was only slow. Others that
// stand unread behind it do not make it one that is lost.
func TestStopSlow(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	p.evts.Add(1)
	drain(t, c)
	if s := c.Stats(); s.Lost[event.CauseVanished] != 1 {
		t.Fatalf("got %+v, want one that has vanished", s)
	}
	copyIn(p.data, 0, record(1, 1, 40))
	p.head.Store(40)
	for seq := range uint64(5) {
		p.Write(record(1, seq, 40), Normal)
	}
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	c.Stop()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantStats(t, c, event.Stats{Seen: 1, Delivered: 1})
}

// TestStopInTheMiddle: a record whose producer was past the gate is waited for,
// but not for ever.
func TestStopInTheMiddle(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	p.evts.Add(2)
	c.Stop()
	if _, err := c.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, want to be told to try again", err)
	}
	copyIn(p.data, 0, record(1, 1, 40))
	p.head.Store(40)
	if got := stopped(t, c); got != 1 {
		t.Errorf("%d records, want 1", got)
	}
	wantStats(t, c, event.Stats{Seen: 2, Delivered: 1, Lost: lostOnly(event.CauseVanished, 1)})
}

// TestStopDeaf: a producer that does not look at the gate does not keep the
// reader.
func TestStopDeaf(t *testing.T) {
	cfg := small(testRing(t))
	c, p := newPair(t, cfg)
	p.Active()
	c.Stop()
	const size = 128
	most := int(c.size)/size + 1
	for range 2 * most {
		head := p.head.Load()
		p.evts.Add(1)
		copyIn(p.data, head, record(1, 1, size))
		p.head.Store(advance(head, size, c.size))
		if _, err := c.Next(); errors.Is(err, io.EOF) {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if s := c.Stats(); s.LostTotal() != 0 || s.Seen != s.Delivered {
				t.Errorf("got %+v, want no losses", s)
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("no end after %d records", 2*most)
}
