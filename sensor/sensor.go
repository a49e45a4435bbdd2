// Package sensor is the loop from a source of events to an output: parse, bring
// the state up to date, print.
//
// The loop is one goroutine. Records are borrowed from the source and not
// trusted; what is none is counted.
package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/convert"
	"github.com/pdig/pdig/sensor/fields"
	"github.com/pdig/pdig/sensor/output"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/syscalls"
)

// Config is what a [Sensor] works with.
type Config struct {
	Source source.Source
	State  *state.Table
	Output *output.Writer // nil: nothing is printed
	Filter *fields.Filter // of what is printed; nil: everything
	Event  *fields.Event  // what Filter and Output look at; nil if they look at none

	// Record gets the events that pass the filter; without one all events, with
	// those that are not shown. Nil: nothing is recorded.
	Record Recorder

	// Own is a process whose events are not shown, 0 for none: kernels tell of the
	// sensor too.
	Own int64

	// Style is whose lines are printed. The newest has one event for a call.
	Style event.Style

	// Watch counts the events that pass the filter. Nil: nobody does.
	Watch Watcher

	// Count ends the loop after so many printed events; 0 is no limit.
	Count uint64
}

// Watcher looks at events. Its errors end the loop.
type Watcher interface {
	// Watch is called with an event that was applied to the state.
	Watch(v *event.View, t *state.Table)
	// Tick is called now and then.
	Tick() error
}

// Stopper is a source that holds records and can be asked for no more than
// those: after Stop its Next brings them, then io.EOF.
type Stopper interface{ Stop() }

// Recorder keeps events. Its errors end the loop.
type Recorder interface {
	// Begin is called with every event before the state changes by it, with its
	// time in nanoseconds since the Unix epoch.
	Begin(timeNs uint64, rec []byte) error
	// Event keeps the event that Begin was called with, with its truth behind it.
	Event(cpu uint16, hidden bool, rec []byte) error
	// Flush is called when the source is quiet, so that what was kept may soon
	// outlive the sensor; or does already, if somebody waits for it.
	Flush(now bool) error
}

// Placer is a source that knows of its last record on which CPU it was made, and
// whether it only changes the state.
type Placer interface {
	Place() (cpu uint16, hidden bool)
}

// Locator is a file: what is no event in it makes the run fail at its end.
type Locator interface {
	// Offset is where the last record begins.
	Offset() int64
}

// Sensor brings the events of a source to an output.
type Sensor struct {
	cfg   Config
	place Placer // nil: CPU 0, nothing hidden
	view  event.View
	fold  *convert.Converter // nil: events are shown as they come
	raw   event.View         // the event as it came, if there is a converter
	shown output.Event
	event *fields.Event
	blind bool   // nobody asks for the state
	begun bool   // there was an event that is not about a container
	count uint64 // printed

	corrupt, unknown uint64 // records that were no events
	firstCorrupt     int64  // where a Locator has the first
	mismatches       uint64 // events with a mismatch in their truth
}

// New returns a sensor that has not begun.
func New(cfg Config) *Sensor {
	s := &Sensor{cfg: cfg}
	s.place, _ = cfg.Source.(Placer)
	s.blind = cfg.Filter == nil && cfg.Output == nil && cfg.Record == nil && cfg.Watch == nil && cfg.Own == 0
	s.shown.View, s.shown.Names = &s.view, cfg.State
	if s.event = cfg.Event; s.event == nil {
		s.event = &fields.Event{}
	}
	s.event.View, s.event.State = &s.view, cfg.State
	s.view.Style = cfg.Style
	if cfg.Style == event.Newest {
		s.fold = convert.New()
	}
	return s
}

// pollEvery is after how many records the loop looks whether it is to end.
const pollEvery = 64

// Run works until the context or the source ends, as many events are printed as
// were asked for, or an error of source or output. What was printed is flushed.
//
// A context that is canceled ends the capture: what a [Stopper] holds at that
// moment still comes. A deadline, like the number of events, says that no more
// is wanted.
func (s *Sensor) Run(ctx context.Context) error {
	err := s.run(ctx)
	if err == nil {
		s.stop() // what it still holds was not asked for
	}
	if s.cfg.Output != nil {
		if flushErr := s.cfg.Output.Flush(); err == nil {
			err = flushErr
		}
	}
	return err
}

func (s *Sensor) run(ctx context.Context) error {
	for n := 0; ; n++ {
		if n%pollEvery == 0 && ctx.Err() != nil && !s.draining(ctx) {
			return nil
		}
		if n%pollEvery == 0 && s.cfg.Watch != nil {
			if err := s.cfg.Watch.Tick(); err != nil {
				return fmt.Errorf("output: %w", err)
			}
		}
		rec, err := s.cfg.Source.Next()
		switch {
		case err == nil:
			if done, err := s.record(rec); done || err != nil {
				return err
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err := s.quiet(errors.Is(err, source.ErrAsked)); err != nil {
				return err
			}
			n = -1
		case errors.Is(err, io.EOF):
			return s.faults()
		default:
			return fmt.Errorf("source: %w", err)
		}
	}
}

// draining stops a source when the capture has ended, and reports whether
// something may still come.
func (s *Sensor) draining(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled) && s.stop()
}

// stop reports whether the source can be stopped.
func (s *Sensor) stop() bool {
	source, ok := s.cfg.Source.(Stopper)
	if ok {
		source.Stop()
	}
	return ok
}

// quiet lets out what waits: nothing else will push it. Somebody may ask for it.
func (s *Sensor) quiet(asked bool) error {
	if s.cfg.Record != nil {
		if err := s.cfg.Record.Flush(asked); err != nil {
			return fmt.Errorf("record: %w", err)
		}
	}
	if s.cfg.Output == nil {
		return nil
	}
	return s.cfg.Output.Flush()
}

// record handles one record and reports whether it was the last.
func (s *Sensor) record(rec []byte) (done bool, err error) {
	raw := &s.view
	if s.fold != nil {
		raw = &s.raw
	}
	if err := raw.Parse(rec); err != nil {
		s.refused(err)
		return false, nil
	}
	came := came{View: raw}
	if s.place != nil {
		came.cpu, came.hidden = s.place.Place()
	}
	s.shown.CPU, s.event.CPU = came.cpu, came.cpu
	if s.cfg.Record != nil {
		if err := s.begin(&came); err != nil {
			return true, err
		}
	}
	if s.fold != nil && !s.convert(&came) {
		s.begun = true
		return false, nil
	}
	s.event.Next()
	if !s.blind {
		s.cfg.State.Apply(&s.view)
	}
	if s.view.HasTruth() {
		s.look()
	}
	leading, internal := s.leading(), s.view.Info().Class == syscalls.CategoryInternal
	if !leading && (!internal || s.fold == nil) { // 0.41.4 does not begin its times with internal ones
		s.event.Begin()
	}
	if own := s.cfg.Own; own != 0 && s.cfg.State.Current().PID == own {
		return false, nil
	}
	if leading || came.hidden || internal {
		return false, nil // of use to the state only
	}
	if s.cfg.Filter != nil {
		if !s.cfg.Filter.Match() {
			return false, nil
		}
		if err := s.keepCall(&came); err != nil {
			return true, err
		}
	}
	if s.cfg.Watch != nil {
		s.cfg.Watch.Watch(&s.view, s.cfg.State)
	}
	if s.cfg.Output != nil {
		s.shown.Num, s.shown.Comm, s.shown.Info = s.event.Num, s.cfg.State.Current().Comm, s.event.LogLine()
		if shown, err := s.cfg.Output.Write(&s.shown); err != nil || !shown {
			return err != nil, err
		}
	}
	s.count++
	return s.count == s.cfg.Count, nil
}

// look counts the event if it has done something else than it says.
func (s *Sensor) look() {
	if truth, ok := s.view.Truth(); ok && truth.Mismatch != 0 {
		s.mismatches++
	}
}

// came is an event as it has come from the source.
type came struct {
	*event.View
	cpu    uint16
	hidden bool           // it only changes the state
	enter  *convert.Enter // that it was made one with; nil: none
}

// convert makes the view's event what is shown of the one that has come, and reports
// whether there is one.
func (s *Sensor) convert(c *came) bool {
	r := s.fold.Convert(c.View, c.cpu, c.hidden)
	c.enter, c.hidden = r.Enter, c.hidden || r.Hidden
	if r.Record == nil || s.view.Parse(r.Record) != nil {
		return false
	}
	s.view.Adopt(c.View)
	return true
}

// begin prepares the recorder for an event and, if there is no filter, has it
// keep the event.
func (s *Sensor) begin(c *came) error {
	if err := s.cfg.Record.Begin(c.Time(), c.Bytes()); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if s.cfg.Filter != nil {
		return nil
	}
	return s.keep(c.cpu, c.hidden, c.Whole())
}

// keepCall has the recorder keep an event that has passed the filter: as it came,
// and before it the event that it was made one with, so that whoever reads what
// is written can do the same.
func (s *Sensor) keepCall(c *came) error {
	if e := c.enter; e != nil {
		if err := s.keep(e.CPU, e.Hidden, e.Record); err != nil {
			return err
		}
	}
	return s.keep(c.cpu, false, c.Whole())
}

// keep has the recorder keep an event.
func (s *Sensor) keep(cpu uint16, stateOnly bool, record []byte) error {
	if s.cfg.Record == nil {
		return nil
	}
	if err := s.cfg.Record.Event(cpu, stateOnly, record); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// leading tells what sysdig takes for a part of a capture's header: what stands
// about containers before all other events.
func (s *Sensor) leading() bool {
	s.begun = s.begun || !headers[s.view.Info().Name] || s.fold == nil && s.view.Info().Name != "container"
	return !s.begun
}

// headers are the events that may stand before all others, and are a part of the
// header then. sysdig 0.29.3 knows the first only.
var headers = map[string]bool{
	"container": true, "useradded": true, "userdeleted": true, "groupadded": true, "groupdeleted": true, "asyncevent": true,
}

// refused counts a record that is no event.
func (s *Sensor) refused(err error) {
	if errors.Is(err, event.ErrUnknownType) {
		s.unknown++
		return
	}
	if file, ok := s.cfg.Source.(Locator); ok && s.corrupt == 0 {
		s.firstCorrupt = file.Offset()
	}
	s.corrupt++
}

// faults says what was no event in a file.
func (s *Sensor) faults() error {
	if _, ok := s.cfg.Source.(Locator); !ok || s.corrupt == 0 {
		return nil
	}
	return fmt.Errorf("%d records are no events, the first at offset %d", s.corrupt, s.firstCorrupt)
}

// Forgotten is how many enter events were given up before the ends of their calls
// came, which are shown without what those tell.
func (s *Sensor) Forgotten() uint64 {
	if s.fold == nil {
		return 0
	}
	return s.fold.Lost()
}

// Stats is what became of the records of the source so far.
func (s *Sensor) Stats() event.Stats {
	st := s.cfg.Source.Stats()
	st.Delivered -= min(st.Delivered, s.corrupt+s.unknown)
	st.Lost[event.CauseCorrupt] += s.corrupt
	st.Lost[event.CauseUnknown] += s.unknown
	st.Mismatches = s.mismatches
	return st
}
