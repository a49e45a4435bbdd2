package cmdline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/tracer"
	"github.com/pdig/pdig/tracer/launch"
)

// Attach traces processes that run already, in the foreground, until they have
// ended or a signal comes. The process has to end when it returns.
func (o *Options) Attach(stderr io.Writer) (status int) {
	stop := make(chan struct{})
	signals := stopSignals()
	if err := sys.QuietChildStops(); err != nil {
		o.complain(stderr, err)
		return launch.StatusFailed
	}
	log, _, err := cli.Logger(o.name(), o.logLevel, stderr, o.logFile)
	if err != nil {
		o.complain(stderr, err)
		return launch.StatusFailed
	}
	ring, err := o.openRing(log)
	if err != nil {
		o.complain(stderr, err)
		return launch.StatusFailed
	}
	go func() {
		<-signals
		ring.Release() // a full ring holds nobody any more
		close(stop)
	}()
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	defer ring.close()
	if err := ring.await(o, stopped); err != nil {
		o.complain(stderr, err)
		return launch.StatusFailed
	}
	o.attach.Stop = stop
	o.attach.Refused = func(err error) { o.complain(stderr, err) }
	o.attach.Filter = o.seccomp == "always"
	o.attach.Attached = func() {
		switch {
		case o.attach.Filter:
			fmt.Fprintln(stderr, o.name()+": the processes keep the filter until they end, and are killed when "+o.name()+" ends (--seccomp always)")
		case o.secure():
			fmt.Fprintln(stderr, o.name()+": the processes are killed when "+o.name()+" ends (--priority security)")
		}
	}
	apart(func() {
		switch err := tracer.Attach(o.attach, o.config(stderr, ring.Producer, log)); {
		case errors.Is(err, tracer.ErrNobody): // each has its line
			status = launch.StatusFailed
		case err != nil:
			o.complain(stderr, err)
			status = launch.StatusFailed
		}
	})
	return status
}

// apart calls f in a thread that ends with it, and so lets go of its tracees: they
// do not wait for a sensor to show what it has. The main thread cannot end, so it is
// held until the other is there.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			apart(f)
			return
		}
		f()
	}()
	<-done
}

// stopSignals are those that end the trace. A tracer that is stopped by its
// terminal would stop the processes that it traces, so it is not.
func stopSignals() <-chan os.Signal {
	signal.Ignore(unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	for _, sig := range []os.Signal{unix.SIGHUP, unix.SIGQUIT} {
		if !signal.Ignored(sig) { // nohup
			signal.Notify(signals, sig)
		}
	}
	return signals
}
