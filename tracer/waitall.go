package tracer

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// The end of a command is told to its parent when the tracer has collected it,
// and until then only to the tracer. So a command that is to be held until its
// last descendant has ended (--wait-all) is a zombie meanwhile: it has closed its
// files, its children have another parent, and nobody who waits for its end
// keeps it waiting. A stop before its death would.
//
// No signal reaches a zombie, not even SIGKILL. So the tracer lets go of it when
// it gets one itself. The first process of a pid namespace cannot be held: with
// it everybody in there ends.

// hold keeps the command from being collected, whose leader is about to die of
// the given status. Who kills it does not want to wait.
func (t *Tracer) hold(p *process, status uint32) {
	if !t.cfg.WaitAll || t.holding || t.root != nil || p.vpid == 1 || unix.WaitStatus(status).Signal() == unix.SIGKILL {
		return
	}
	t.holding = true
	t.news, t.letGoNow = make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(t.news, unix.SIGCHLD)
	t.childStops(sys.TellChildStops)
	signal.Notify(t.letGoNow, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
}

// unhold ends that. The command is collected when it is dead.
func (t *Tracer) unhold() {
	if !t.holding {
		return
	}
	t.holding = false
	signal.Stop(t.news)
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	t.childStops(sys.QuietChildStops)
}

func (t *Tracer) childStops(change func() error) {
	if err := change(); err != nil {
		t.log.Warn().Err(err).Msg("signals of stops are not changed")
	}
}

// wait waits for a stop or a death of somebody, but not of a command that is held,
// nor of other children of the process: those are of other threads.
func (t *Tracer) wait(status *uint32, options int) (tid int, errno unix.Errno) {
	for t.holding {
		if len(t.table.threads) == 1 && len(t.births.parked) == 0 {
			t.unhold() // only its leader is left
			t.summarize()
			t.conclude(false)
			break
		}
		if tid := t.waitOthers(status); tid != 0 || options&unix.WNOHANG != 0 {
			return tid, 0
		}
		select {
		case <-t.news:
		case <-t.letGoNow:
			t.cfg.WaitAll = false
			t.unhold()
			t.summarize()
			t.conclude(false)
		}
	}
	return sys.Wait(status, options|unix.WNOTHREAD)
}

// waitOthers looks for a stop of anybody, or a death of anybody but the leader of
// the command. A wait for all deaths would collect that. tid is 0 for none.
func (t *Tracer) waitOthers(status *uint32) (tid int) {
	// ECHILD: all are dead.
	if tid, errno := sys.WaitStop(status); errno == 0 && tid != 0 {
		return tid
	}
	for tid := range t.table.threads {
		if tid != t.rootPID && died(tid, status) {
			return tid
		}
	}
	for tid := range t.births.parked {
		if died(tid, status) {
			return tid
		}
	}
	return 0
}

// died collects a tracee that is dead.
func died(tid int, status *uint32) bool {
	got, errno := sys.WaitFor(tid, status, unix.WNOHANG)
	return errno == 0 && got == tid
}
