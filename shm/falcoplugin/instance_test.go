package falcoplugin

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
)

// talkative is a ring of one record of which there is very much to say.
type talkative struct {
	rec  []byte
	said int
}

func (r *talkative) Next() ([]byte, error) { return r.Poll() }
func (r *talkative) Ring() string          { return "ring" }
func (r *talkative) Stats() event.Stats    { return event.Stats{} }
func (r *talkative) Close() error          { return nil }

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

// TestTalkative: a batch that is full of what is said of the rings has no room for a
// record, which is in the next one.
func TestTalkative(t *testing.T) {
	p, err := New(`{"schema":"404"}`, false, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	var e event.Encoder
	rec, err := testrecord.Line(&e, 1e18, "5 < close res=0")
	if err != nil {
		t.Fatal(err)
	}
	i, err := newInstance(p, &p.cfg, &talkative{rec, batchEvents + 1})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for _, want := range []int{batchEvents, 1} {
		if _, n, err := i.Next(); n != want || err != nil {
			t.Fatalf("%d events: %v, want %d", n, err, want)
		}
	}
	if got := i.batch.about[0].ring; got != "ring" {
		t.Errorf("the last event is of ring %q", got)
	}
	if _, n, err := i.Next(); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d events: %v, want none", n, err)
	}
}
