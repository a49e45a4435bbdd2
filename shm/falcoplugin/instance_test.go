package falcoplugin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/convert"
)

// talkative is a ring of one record of which there is very much to say.
type talkative struct {
	rec  []byte
	said int
	lost uint64
}

func (r *talkative) Next() ([]byte, error) { return r.Poll() }
func (r *talkative) Origin() *origin       { return &origin{ring: "ring"} }
func (r *talkative) Close() error          { return nil }

func (r *talkative) Stats() (s event.Stats) {
	s.Lost[event.CauseRingFull] = r.lost
	return s
}

func (r *talkative) Poll() ([]byte, error) {
	if r.rec == nil {
		return nil, os.ErrDeadlineExceeded
	}
	rec := r.rec
	r.rec = nil
	return rec, nil
}

func (r *talkative) Look(time.Time) (said []string) {
	for n := range r.said {
		said = append(said, fmt.Sprint(n))
	}
	r.said = 0
	return said
}

// open opens a plugin with a talkative ring.
func open(t *testing.T, said int) (*Plugin, *Instance) {
	t.Helper()
	p, err := New(`{"schema":"404"}`, false, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	var e event.Encoder
	rec, err := testrecord.Line(&e, 1e18, "5 < close res=0")
	if err != nil {
		t.Fatal(err)
	}
	i, err := newInstance(p, &p.cfg, &talkative{rec: rec, said: said})
	if err != nil {
		t.Fatal(err)
	}
	p.instances = append(p.instances, i)
	t.Cleanup(func() { _ = p.Close() })
	return p, i
}

// TestTalkative: a batch that is full of what is said of the rings has no room for a
// record, which is in the next one.
func TestTalkative(t *testing.T) {
	_, i := open(t, batchEvents+1)
	for _, want := range []int{batchEvents, 1} {
		if _, n, err := i.Next(); n != want || err != nil {
			t.Fatalf("%d events: %v, want %d", n, err, want)
		}
	}
	if got := i.batch.about[0].from.ring; got != "ring" {
		t.Errorf("the last event is of ring %q", got)
	}
	if _, n, err := i.Next(); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d events: %v, want none", n, err)
	}
}

// TestFieldsMeanwhile: an event has its fields while another thread of the host asks
// for the metrics.
func TestFieldsMeanwhile(t *testing.T) {
	p, i := open(t, 0)
	if _, n, err := i.Next(); n != 1 {
		t.Fatalf("%d events: %v, want 1", n, err)
	}
	at := i.batch.about[0].at
	got := make(chan Value)
	i.mu.Lock() // as Metrics does
	go func() { got <- p.Field(at, 3) }()
	time.Sleep(10 * time.Millisecond)
	i.mu.Unlock()
	if v := <-got; !v.Known || string(v.Text) != "ring" {
		t.Errorf("got %q, known %v", v.Text, v.Known)
	}
	for _, other := range []uintptr{0, at - 1, at + 1, at + uintptr(len(i.batch.memory))} {
		if v := p.Field(other, 3); v.Known {
			t.Errorf("%q for an address of no event", v.Text)
		}
	}
}

// TestLost: what was lost is told of once, with the event that follows.
func TestLost(t *testing.T) {
	p, i := open(t, 0)
	src := i.src.(*talkative)
	rec := src.rec
	for _, row := range []struct{ total, want uint64 }{{5, 5}, {5, 0}, {7, 2}} {
		src.rec, src.lost = rec, row.total
		if _, n, err := i.Next(); n != 1 {
			t.Fatalf("%d events: %v, want 1", n, err)
		}
		v := p.Field(i.batch.about[0].at, 4)
		if v.Number != row.want || v.Known != (row.want > 0) {
			t.Errorf("%d lost in all: got %d, known %v, want %d", row.total, v.Number, v.Known, row.want)
		}
	}
}

// TestLostBeforeHidden: the event that tells of what was lost is one that the host shows.
func TestLostBeforeHidden(t *testing.T) {
	p, i := open(t, 0)
	newest := schemas[0]
	i.check, i.fold = newest.check(), convert.New()
	src := i.src.(*talkative)
	src.lost = 5
	for _, row := range []struct {
		line string
		want uint64
	}{
		{"5 > openat dirfd=-100 name=/x flags=1", 0},
		{"5 < openat+ fd=3 dirfd=-100 name=/x flags=1", 5},
		{"5 < close+ res=0 fd=3", 0},
	} {
		var e event.Encoder
		rec, err := testrecord.Line(&e, 1e18, row.line)
		if err != nil {
			t.Fatal(err)
		}
		src.rec = rec
		if _, n, err := i.Next(); n != 1 {
			t.Fatalf("%s: %d events: %v, want 1", row.line, n, err)
		}
		if v := p.Field(i.batch.about[0].at, 4); v.Number != row.want {
			t.Errorf("%s: %d lost, want %d", row.line, v.Number, row.want)
		}
	}
}

// TestSameNumber: the user is told once that a thread in another pid namespace has the
// number of the host, which shows none of its events.
func TestSameNumber(t *testing.T) {
	_, i := open(t, 0)
	src := i.src.(*talkative)
	i.self = 5
	rec := src.rec
	for _, want := range []int{1, 2, 1} {
		src.rec, i.looked = rec, time.Time{}
		if _, n, err := i.Next(); n != want || err != nil {
			t.Fatalf("%d events: %v, want %d", n, err, want)
		}
	}
	src.rec, i.self, i.double, i.warned = rec, 6, false, false
	for range 2 {
		if _, _, err := i.Next(); i.double {
			t.Fatalf("another thread is taken for that of the host: %v", err)
		}
	}
}

// TestForked: a process that was forked when the plugin was there gets an error: what it
// waits for would never come.
func TestForked(t *testing.T) {
	p, err := New("", false, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	p.pid++
	if i, err := p.Open(filepath.Join(t.TempDir(), "ring")); err == nil || !strings.Contains(err.Error(), "without -d") {
		t.Errorf("got %v, %v", i, err)
	}
}
