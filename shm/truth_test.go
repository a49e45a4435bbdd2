package shm

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pdig/pdig/event"
)

// truthful is a record of a size that follows from n, with a truth behind it.
func truthful(tb testing.TB, e *event.Encoder, n int) []byte {
	tb.Helper()
	e.Begin(uint64(n), 1, genericX, 1)
	e.Bytes(make([]byte, n*37%3000))
	rec, err := e.EndWith(&event.Truth{Object: []byte(strings.Repeat("x", n%4000))})
	if err != nil {
		tb.Fatal(err)
	}
	return rec
}

// TestTruth has a producer write records with a truth, which have to come together
// however the ring is cut into pieces, to a reader that wants it.
func TestTruth(t *testing.T) {
	cfg := small(testRing(t))
	c := newConsumerAs(t, ConsumerConfig{Config: cfg, Truth: true})
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	if !p.Active() || !p.Truth() {
		t.Fatal("the producer does not know that the reader wants the truth")
	}
	const records = 20_000
	written := make(chan struct{})
	defer func() { <-written }()
	go func() {
		defer close(written)
		var e event.Encoder
		for n := range records {
			p.Write(truthful(t, &e, n), Normal)
		}
	}()
	var v event.View
	for n := 0; n < records; {
		rec, err := c.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if truth, ok := v.Truth(); v.Time() != uint64(n) || !ok || len(truth.Object) != n%4000 {
			t.Fatalf("record %d is number %d, with a truth %v of %d bytes", n, v.Time(), ok, len(truth.Object))
		}
		n++
	}
	if s := c.Stats(); s.Delivered != records || s.Seen != records {
		t.Errorf("%+v", s)
	}
}

// TestNoTruth: a reader that does not ask for it is given records only, as is one
// whose extension is too short to ask.
func TestNoTruth(t *testing.T) {
	for _, short := range []bool{false, true} {
		cfg := small(testRing(t))
		c := newConsumerAs(t, ConsumerConfig{Config: cfg, Truth: short})
		if short {
			c.extSize.Store(extLeast)
		}
		p := newProducer(t, ProducerConfig{Config: cfg})
		if !p.Active() || p.Truth() {
			t.Error("the producer takes the reader for one that wants the truth")
		}
		var e event.Encoder
		rec := truthful(t, &e, 100)
		if !p.Write(rec, Normal) {
			t.Error("the record is refused")
		}
		n, _ := event.Length(rec)
		if got := p.head.Load(); got != uint32(n) {
			t.Errorf("%d bytes are in the ring, want the %d of the record", got, n)
		}
	}
}

// TestTruthWithoutRoom: a ring that is too small for both has the record.
func TestTruthWithoutRoom(t *testing.T) {
	cfg := small(testRing(t))
	newConsumerAs(t, ConsumerConfig{Config: cfg, Truth: true})
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	if !p.Active() {
		t.Fatal("nobody reads")
	}
	var e event.Encoder
	e.Begin(1, 1, genericX, 1)
	e.Bytes(make([]byte, 14<<10))
	rec, err := e.EndWith(&event.Truth{Object: make([]byte, 4000)})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Write(rec, Normal) {
		t.Error("the record is refused")
	}
}
