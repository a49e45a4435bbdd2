package modern

import (
	"cmp"
	"errors"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer"
)

// Counters of the probe, of each CPU.
const (
	countTooLarge = iota
	countNoRing
	countLeft // processes that the family had no room for
	countFull // and the next ones: of each class
)

// Probe is a source of the records of all threads but those of its own process.
type Probe struct {
	*loaded
	maps    []*ring
	shown   []source.Ring // the same
	epoch   int64         // of their clock at the last look
	merged  *source.Merged
	decoder decoder
	queue   []byte // records that wait
	ends    []int  // where each of them ends
	next    int    // of ends
	out     uint64 // records handed out
	lost    [event.NumCauses]uint64
	last    *event.Stats // those at the end
}

// Open loads the probe and begins to record.
func Open(cfg Config) (*Probe, error) {
	if cfg.Snaplen > maxData {
		cfg.Log.Warn().Int("wanted", cfg.Snaplen).Int("size", maxData).Msg("the modern probe keeps less data")
	}
	cfg.Ceiling = cmp.Or(cfg.Ceiling, syscalls.CeilingNewest)
	l, err := load(&cfg)
	if err != nil {
		return nil, err
	}
	p := &Probe{loaded: l}
	for _, m := range l.rings {
		r, err := newRing(m, &p.epoch)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.maps = append(p.maps, r)
	}
	for _, r := range p.maps {
		p.shown = append(p.shown, r)
	}
	p.merged = source.Merge(&rings{p})
	p.decoder.rec = tracer.NewRecorder(tracer.RecorderConfig{
		Wants: cfg.Wants, Ceiling: cfg.Ceiling, Snaplen: cfg.Snaplen, Truth: cfg.Truth,
		Out:  func(rec []byte) { p.queue = append(p.queue, rec...); p.ends = append(p.ends, len(p.queue)) },
		Lost: func(c event.Cause) { p.lost[c]++ },
	})
	return p, nil
}

// Next implements [source.Source].
func (p *Probe) Next() ([]byte, error) {
	for p.next == len(p.ends) {
		p.queue, p.ends, p.next = p.queue[:0], p.ends[:0], 0
		raw, err := p.merged.Next()
		if err != nil {
			return nil, err
		}
		p.decoder.take(raw)
	}
	from := 0
	if p.next > 0 {
		from = p.ends[p.next-1]
	}
	rec := p.queue[from:p.ends[p.next]]
	p.next++
	p.out++
	return rec, nil
}

// Place is where the last record was made: the sensor's Placer.
func (p *Probe) Place() (cpu uint16, hidden bool) { return p.merged.Place() }

// rings are those of a probe, as [source.Merge] wants them.
type rings struct{ *Probe }

func (r *rings) Rings() []source.Ring {
	r.epoch = min(epoch(), epoch())
	return r.shown
}

func (r *rings) Stats() event.Stats { return event.Stats{} }
func (r *rings) Close() error       { return nil }

// Stats implements [source.Source]: it counts records that were handed out, and of
// those that were lost what the probe has sent, each of which would have made one or
// more. Too large ones have lost a part only. A process that the family had no room for
// counts as one that has vanished: nobody knows how many it would have been.
func (p *Probe) Stats() event.Stats {
	if p.last != nil {
		return *p.last
	}
	s := event.Stats{Delivered: p.out, Lost: p.lost}
	for class := range s.Full {
		s.Full[class] = p.counter(uint32(countFull + class))
		s.Lost[event.CauseRingFull] += s.Full[class]
	}
	s.Lost[event.CauseTooLarge] += p.counter(countTooLarge)
	s.Lost[event.CauseNested] += p.nested()
	s.Lost[event.CauseRing] += p.counter(countNoRing)
	s.Lost[event.CauseVanished] += p.counter(countLeft)
	s.Lost[event.CauseCorrupt] += p.decoder.bad
	for _, r := range p.maps {
		s.Lost[event.CauseCorrupt] += r.bad
	}
	s.Seen = s.Delivered + s.LostTotal()
	return s
}

// nested is how often a program of the probe would have run within itself, in the last
// copy of it: the others leave to that what they miss. Not all of it had to be told by then.
func (p *Probe) nested() (sum uint64) {
	for _, prog := range p.copies[len(p.copies)-1].all() {
		if st, err := prog.Stats(); err == nil { // Linux 5.12
			sum += st.RecursionMisses
		}
	}
	return sum
}

// counter is the sum of a counter over all CPUs.
func (p *Probe) counter(n uint32) (sum uint64) {
	var each []uint64
	if p.Counters.Lookup(n, &each) != nil {
		return 0
	}
	for _, x := range each {
		sum += x
	}
	return sum
}

// Close implements [source.Source].
func (p *Probe) Close() error {
	err := p.detach()
	last := p.Stats() // the counters go with the probe
	p.last = &last
	for _, r := range p.maps {
		err = errors.Join(err, r.close())
	}
	p.maps = nil
	return errors.Join(err, p.loaded.close())
}
