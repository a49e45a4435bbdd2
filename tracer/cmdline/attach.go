package cmdline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/tracer"
	"github.com/pdig/pdig/tracer/launch"
)

// attach traces processes that run already, in the foreground, until they have
// ended or a signal comes. The process has to end when it returns.
func attach(o *options, stderr io.Writer) (status int) {
	stop := make(chan struct{})
	signals := stopSignals()
	if err := sys.QuietChildStops(); err != nil {
		complain(stderr, err)
		return launch.StatusFailed
	}
	log, _, err := cli.Logger("pdig", o.logLevel, stderr, o.logFile)
	if err != nil {
		complain(stderr, err)
		return launch.StatusFailed
	}
	producer, err := shm.NewProducer(o.producer(log))
	if err != nil {
		complain(stderr, err)
		return launch.StatusFailed
	}
	go func() {
		<-signals
		producer.Release() // a full ring holds nobody any more
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
	if !awaitSensor(producer, o.waitSensor, stopped) {
		complain(stderr, fmt.Errorf("no sensor reads the ring after %v (--wait-sensor)", o.waitSensor))
		return launch.StatusFailed
	}
	o.attach.Stop = stop
	o.attach.Refused = func(err error) { complain(stderr, err) }
	o.attach.Filter = o.seccomp == "always"
	o.attach.Attached = func() {
		switch {
		case o.attach.Filter:
			fmt.Fprintln(stderr, "pdig: the processes keep the filter until they end, and are killed when pdig ends (--seccomp always)")
		case o.secure():
			fmt.Fprintln(stderr, "pdig: the processes are killed when pdig ends (--priority security)")
		}
	}
	switch err := tracer.Attach(o.attach, o.config(stderr, producer, log)); {
	case errors.Is(err, tracer.ErrNobody): // each has its line
		status = launch.StatusFailed
	case err != nil:
		complain(stderr, err)
		status = launch.StatusFailed
	}
	if err := producer.Close(); err != nil {
		log.Error().Err(err).Msg("ring not closed")
	}
	return status
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
