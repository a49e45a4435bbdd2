package tracer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Who has come into the container from outside is traced as one that runs already:
// without a filter, which could be installed only by calls of its own, so that it
// outlives the tracer and can be let go of. That has to be possible: a reader of
// the records may come that way, and must not be traced by whom it reads from.

// adoption is what the loop does about newcomers.
type adoption struct {
	*newcomers
	away    func(error) // is told of those that cannot be traced
	turned  int         // their number
	options uintptr     // of ptrace
}

// adopt has those traced from now on that come into the pid namespaces of processes.
// It is called from the thread of the loop.
func (t *Tracer) adopt(away func(error), pids ...int) error {
	n, err := newNewcomers(unix.Gettid(), t.sink.ReaderPID, pids...)
	if err != nil {
		return err
	}
	t.adoption = &adoption{newcomers: n, away: away, options: t.options &^ unix.PTRACE_O_TRACEEXIT}
	return nil
}

// adoptFrom begins that, when those are traced that were there before.
func (t *Tracer) adoptFrom() {
	if t.adoption == nil {
		return
	}
	pid, tid := os.Getpid(), unix.Gettid()
	go t.adoption.run(func() { _ = unix.Tgkill(pid, tid, wakeUp) })
}

// adoptNoMore ends it. Who was adopted stays traced.
func (t *Tracer) adoptNoMore() {
	if t.adoption != nil {
		t.adoption.end()
	}
}

// turnedAway is for whom a command's standard error is not: see [Tracer.started].
func (t *Tracer) turnedAway(err error) { t.log.Error().Err(err).Msg("not adopted") }

// triesTold is how often it is tried to trace a process before that is told.
const triesTold = 5

// admit traces those that were found.
func (t *Tracer) admit() {
	t.adoption.some.Store(false)
	for {
		select {
		case c := <-t.adoption.found:
			if c.pid == t.sink.ReaderPID() {
				t.spare(c.pid)
			} else {
				t.admitOne(c)
			}
		default:
			return
		}
	}
}

func (t *Tracer) admitOne(c newcomer) {
	s := seizure{t: t, options: t.adoption.options, adopts: true}
	s.refused = func(err error) {
		if c.tries != triesTold || errors.Is(err, unix.ESRCH) {
			return
		}
		t.adoption.turned++
		t.adoption.away(err)
	}
	end := make(chan struct{})
	go s.collect(end)
	s.process(c.pid)
	close(end)
	if s.seized > 0 {
		t.log.Info().Int("pid", c.pid).Int("threads", s.seized).Msg("adopted")
	}
}

// spare lets go of an adopted process that has begun to read the records.
func (t *Tracer) spare(pid int) {
	if p := t.table.process(pid); p != nil && p.adopted && t.letGoOf(p, nil) {
		t.log.Info().Int("pid", pid).Msg("let go of the reader")
	}
}

// readerStands reports whether the reader may stand still because it is traced: no
// room that it makes can be waited for.
func (t *Tracer) readerStands() bool {
	if t.adoption == nil {
		return false
	}
	p := t.table.process(t.sink.ReaderPID())
	return p != nil && p.adopted
}
