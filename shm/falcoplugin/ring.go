package falcoplugin

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/shm"
)

// ring is one that is read; its number is the place in its group.
type ring struct {
	*shm.Consumer
	prefix  string // under which it was opened
	name    string
	number  uint16
	from    *origin
	greeted int    // pid of the tracer that it is of
	writer  int    // pid of the tracer, 0 for none that lives
	left    bool   // its names stand for other objects, or none: what is in it is the last
	rec     []byte // the oldest record, if it is known
	err     error  // nothing more comes
	run     int    // records since the last Load that next made
}

// origin is where events are from; a ring has another one when that changes.
type origin struct {
	ring   string
	tracer shm.Tracer
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
	return &ring{Consumer: c, prefix: prefix, name: c.Name(), from: &origin{ring: c.Name()}}, nil
}

// silent is after how long a tracer that gives no sign of life is taken to be gone:
// it gives one each second.
const silent = 5 * time.Second

// look says whether the tracer has come or gone.
func (r *ring) look(now time.Time) string {
	r.Touch()
	r.greet()
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
		return fmt.Sprintf("tracer %d writes ring %s%s", writer, r.name, r.from.of())
	}
	return fmt.Sprintf("tracer %d writes ring %s%s, which tracer %d has written", writer, r.name, r.from.of(), before)
}

// greet finds out who writes.
func (r *ring) greet() {
	if t := r.Tracer(); t != r.from.tracer {
		r.from = &origin{r.name, t}
	}
}

// of says whose events they are.
func (o *origin) of() (text string) {
	if o.tracer.Command != "" {
		text += ", of " + o.tracer.Command
	}
	if o.tracer.Container != "" {
		text += ", in " + o.tracer.Container
	}
	return text
}

// Load implements [source.Ring].
func (r *ring) Load() {
	if pid, _ := r.Writer(); pid != r.greeted {
		r.greeted = pid
		r.greet()
	}
	r.Peek()
}

// Peek implements [source.Ring].
func (r *ring) Peek() []byte {
	if r.rec == nil && r.err == nil {
		rec, err := r.Poll()
		if r.rec = rec; over(err) {
			r.err = err
		}
	}
	return r.rec
}

// maxRun bounds how many records come without a look at who has written them.
const maxRun = 1024

// next takes the oldest record, or is nil.
func (r *ring) next() []byte {
	if r.run++; r.run > maxRun {
		r.run = 0
		r.Load()
	}
	rec := r.Peek()
	if rec == nil {
		r.run = maxRun
	}
	r.Take()
	return rec
}

// CPU implements [source.Ring]: the number stands in its place.
func (r *ring) CPU() uint16 { return r.number }

// Take implements [source.Ring].
func (r *ring) Take() { r.rec = nil }

// over reports whether nothing more comes out of the ring.
func (r *ring) over() bool { return r.err != nil && r.rec == nil }

// leave reads what is in the ring, and no more, if its names stand for other objects
// now: tracers that come go there.
func (r *ring) leave() bool {
	if r.left || !r.Moved() {
		return false
	}
	r.left = true
	r.Stop()
	return true
}

// why says why nothing more comes, if that has not been said.
func (r *ring) why() string {
	if errors.Is(r.err, io.EOF) {
		return ""
	}
	return explain(r.err).Error()
}
