package falcoplugin

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
)

// rings are what an instance reads: one ring, or many.
type rings interface {
	// Next returns the oldest record, or waits a while for it.
	Next() ([]byte, error)
	// Poll is Next that does not wait.
	Poll() ([]byte, error)
	// Ring names the ring of the last record.
	Ring() string
	// Look follows what becomes of the rings and returns what the user is to be
	// told of it.
	Look(now time.Time) []string
	Stats() event.Stats
	Close() error
}

// ring is one that is read.
type ring struct {
	*shm.Consumer
	name   string
	writer int // pid of the tracer, 0 for none
}

// openRing opens the ring of a name; find is for one that others make.
func openRing(cfg *Config, prefix string, find bool, log zerolog.Logger) (*ring, error) {
	how := shm.ConsumerConfig{
		Config:  shm.Config{Prefix: prefix, Size: cfg.Size, Mode: cfg.mode},
		Snaplen: cfg.Snaplen,
		Ceiling: cfg.schema.codes,
		Truth:   true,
		Find:    find,
		Log:     log,
	}
	c, err := shm.NewConsumer(how)
	if err != nil {
		return nil, err
	}
	return &ring{Consumer: c, name: c.Name()}, nil
}

// silent is after how long a tracer that gives no sign of life is taken to be gone:
// it gives one each second.
const silent = 5 * time.Second

// look says whether the tracer has come or gone.
func (r *ring) look(now time.Time) string {
	writer, sign := r.Writer()
	if writer != 0 && now.Sub(sign) > silent {
		writer = 0
	}
	before := r.writer
	r.writer = writer
	switch {
	case writer == before:
		return ""
	case writer == 0:
		return fmt.Sprintf("tracer %d of ring %s has ended", before, r.name)
	case before == 0:
		return fmt.Sprintf("tracer %d writes ring %s", writer, r.name)
	}
	return fmt.Sprintf("tracer %d writes ring %s, which tracer %d has written", writer, r.name, before)
}

// single is one ring, and those that take its place.
type single struct {
	*ring
	cfg  *Config
	log  zerolog.Logger
	gone event.Stats // of those that were there before
	said string      // of the last attempt to make it anew
}

func openSingle(cfg *Config, log zerolog.Logger) (*single, error) {
	r, err := openRing(cfg, cfg.Ring, false, log)
	if err != nil {
		return nil, err
	}
	return &single{ring: r, cfg: cfg, log: log}, nil
}

// Ring implements rings.
func (s *single) Ring() string { return s.name }

// Look implements rings: a ring that was removed is made anew.
func (s *single) Look(now time.Time) (said []string) {
	if text := s.look(now); text != "" {
		said = append(said, text)
	}
	if !s.Moved() {
		return said
	}
	r, err := openRing(s.cfg, s.cfg.Ring, false, s.log)
	if err != nil {
		if text := explain(err).Error(); text != s.said {
			s.said = text
			said = append(said, fmt.Sprintf("ring %s was removed, and cannot be made anew: %s", s.name, text))
		}
		return said
	}
	_ = s.ring.Close() // nobody writes there any more
	s.said = ""
	stats := s.Consumer.Stats()
	add(&s.gone, &stats)
	s.ring = r
	return append(said, fmt.Sprintf("ring %s was removed and is made anew", s.name))
}

// Stats implements rings.
func (s *single) Stats() event.Stats {
	sum, now := s.gone, s.Consumer.Stats()
	add(&sum, &now)
	return sum
}

// over reports whether an error says that nothing more comes out of a ring.
func over(err error) bool { return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) }
