package falcoplugin

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/convert"
	"github.com/pdig/pdig/shm"
)

// Instance is an open capture.
type Instance struct {
	plugin *Plugin
	check  check

	mu      sync.Mutex // held while what follows is used
	src     rings
	batch   *batch
	fold    *convert.Converter // nil: both halves of a call are told
	raw     event.View
	view    event.View
	encoder event.Encoder
	lost    uint64 // records, that no event has told of yet
	told    uint64 // that events have told of
	refused uint64 // records that are none for the host
	self    int64  // number of the process, of whose thread the host shows no events
	double  bool   // a traced thread has it too
	warned  bool   // of that
	looked  time.Time
	lag     time.Duration // age of the last event when it was handed out
	late    error         // for all further calls
	closed  bool
}

func newInstance(p *Plugin, cfg *Config, src rings) (*Instance, error) {
	b, err := newBatch()
	if err != nil {
		return nil, err
	}
	i := &Instance{plugin: p, check: cfg.schema.check(), src: src, batch: b, self: int64(os.Getpid())}
	if cfg.schema.exits {
		i.fold = convert.New()
	}
	return i, nil
}

// looks bounds how many records a batch looks at: there may be none in them that
// the host is told of.
const looks = 2 * batchEvents

// Next fills a batch, and returns the address of a table of the addresses of n
// events, which are valid until the following call and the end of the instance.
// os.ErrDeadlineExceeded means quiet, try again.
func (i *Instance) Next() (table uintptr, n int, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return 0, 0, shm.ErrClosed
	}
	i.batch.reset()
	if i.late != nil {
		return 0, 0, i.late
	}
	i.account()
	i.announce()
	// What is said of the rings may have filled the batch.
	for look := 0; err == nil && look < looks && !i.batch.full(); look++ {
		var rec []byte
		if look == 0 {
			rec, err = i.src.Next()
		} else {
			rec, err = i.src.Poll()
		}
		if err == nil {
			i.add(rec)
		}
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		i.late = explain(err)
	}
	n = len(i.batch.about)
	switch {
	case n > 0:
		i.lag = time.Duration(time.Now().UnixNano() - int64(event.Time(i.batch.about[n-1].whole)))
		return address(i.batch.table), n, nil
	case i.late != nil:
		return 0, 0, i.late
	}
	return 0, 0, os.ErrDeadlineExceeded
}

// account finds out what was lost before the batch.
func (i *Instance) account() {
	s := i.src.Stats()
	if total := s.LostTotal() + i.refused; total > i.told {
		i.lost = total - i.told
	}
}

// add makes of a record the event that the host is told of, if there is one.
func (i *Instance) add(rec []byte) {
	if i.raw.Parse(rec) != nil {
		i.refused++
		return
	}
	v, hidden := &i.raw, false
	if i.fold != nil {
		r := i.fold.Convert(v, 0, false)
		hidden = r.Hidden
		switch {
		case r.Record == nil:
			return
		case &r.Record[0] == &v.Bytes()[0]: // it is as it came
		case i.view.Parse(r.Record) != nil:
			i.refused++
			return
		default:
			v = &i.view
		}
	}
	if !i.check.fits(v) {
		i.refused++
		return
	}
	own := v.TID() == i.self
	i.double = i.double || own
	i.put(v.Bytes(), i.raw.Whole()[i.raw.Len():], i.src.Origin(), !hidden && !own)
}

// put puts an event into the batch. One that the host shows tells of what was lost.
func (i *Instance) put(rec, truth []byte, from *origin, shown bool) {
	var lost uint64
	if shown {
		lost, i.lost = i.lost, 0
	}
	i.batch.add(rec, truth, from, lost)
	i.told += lost
}

// lookEvery is how often an instance looks who writes its rings.
const lookEvery = 250 * time.Millisecond

// asyncEvent is an event with a name and a text of its own.
const asyncEvent = 402

// announce tells the host of tracers that have come or gone.
func (i *Instance) announce() {
	now := time.Now()
	if now.Sub(i.looked) < lookEvery {
		return
	}
	i.looked = now
	news := i.src.Look(now)
	if i.double && !i.warned {
		i.warned = true
		text := fmt.Sprintf("thread %d is traced, which is the number of this process in another pid namespace: Falco takes its events for its own and shows none: share the namespace (docker: --pid container:NAME)", i.self)
		i.plugin.log.Warn().Msg(text)
		news = append(news, text)
	}
	for _, text := range news {
		e := &i.encoder
		e.Begin(uint64(now.UnixNano()), -1, asyncEvent, 3)
		e.Bytes(make([]byte, 4))
		e.String([]byte("pdig_tracer"))
		e.String([]byte(text))
		if rec, err := e.End(); err == nil && !i.batch.full() {
			i.put(rec, nil, nil, true)
		}
	}
}

// Stats is what became of the records of the rings.
func (i *Instance) Stats() event.Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stats()
}

func (i *Instance) stats() event.Stats {
	s := i.src.Stats()
	refused := min(i.refused, s.Delivered)
	s.Delivered -= refused
	s.Lost[event.CauseCorrupt] += refused
	return s
}

// Close ends the capture. The addresses that Next has returned are no more. It
// waits for a Next of another thread.
func (i *Instance) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return shm.ErrClosed
	}
	i.closed = true
	err := i.src.Close()
	i.plugin.forget(i, i.stats())
	return errors.Join(err, i.batch.close())
}
