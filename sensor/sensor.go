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

	// Count ends the loop after so many printed events; 0 is no limit.
	Count uint64
}

// Stopper is a source that holds records and can be asked for no more than
// those: after Stop its Next brings them, then io.EOF.
type Stopper interface{ Stop() }

// Sensor brings the events of a source to an output.
type Sensor struct {
	cfg   Config
	view  event.View
	shown output.Event
	num   uint64 // of the last event
	count uint64 // printed

	corrupt, unknown uint64 // records that were no events
}

// New returns a sensor that has not begun.
func New(cfg Config) *Sensor {
	s := &Sensor{cfg: cfg}
	s.shown.View, s.shown.Names = &s.view, cfg.State
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
		rec, err := s.cfg.Source.Next()
		switch {
		case err == nil:
			if done, err := s.event(rec); done || err != nil {
				return err
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err := s.quiet(); err != nil {
				return err
			}
			n = -1
		case errors.Is(err, io.EOF):
			return nil
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

// quiet lets out what waits: nothing else will push it.
func (s *Sensor) quiet() error {
	if s.cfg.Output == nil {
		return nil
	}
	return s.cfg.Output.Flush()
}

// event handles one record and reports whether it was the last.
func (s *Sensor) event(rec []byte) (done bool, err error) {
	if err := s.view.Parse(rec); err != nil {
		s.refused(err)
		return false, nil
	}
	s.num++
	s.cfg.State.Apply(&s.view)
	if s.view.Info().Class == syscalls.CategoryInternal {
		return false, nil // of use to the state only
	}
	s.count++
	if s.cfg.Output != nil {
		s.shown.Num, s.shown.Comm = s.num, s.cfg.State.Current().Comm
		if err := s.cfg.Output.Write(&s.shown); err != nil {
			return true, err
		}
	}
	return s.count == s.cfg.Count, nil
}

// refused counts a record that is no event.
func (s *Sensor) refused(err error) {
	if errors.Is(err, event.ErrUnknownType) {
		s.unknown++
	} else {
		s.corrupt++
	}
}

// Stats is what became of the records of the source so far.
func (s *Sensor) Stats() event.Stats {
	st := s.cfg.Source.Stats()
	st.Delivered -= min(st.Delivered, s.corrupt+s.unknown)
	st.Lost[event.CauseCorrupt] += s.corrupt
	st.Lost[event.CauseUnknown] += s.unknown
	return st
}
