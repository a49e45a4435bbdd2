// Command pdig runs a command and writes an event for each of its system calls
// into a ring in shared memory.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/tracer"
	"github.com/pdig/pdig/tracer/launch"
)

// version is set by the linker.
var version = "unknown"

func main() {
	switch launch.Self() {
	case launch.Resumed:
		os.Exit(inform(os.Args[1:], os.Stdout))
	case launch.Tracer:
		trace(launch.Start())
	default:
		complain(os.Stderr, fmt.Errorf("cannot become the command: %w", launch.Reexec()))
		os.Exit(launch.StatusFailed)
	}
}

// complain prints why the command is not started: one line.
func complain(w io.Writer, err error) { fmt.Fprintf(w, "pdig: %v\n", err) }

// inform answers options that start no command.
func inform(args []string, stdout io.Writer) int {
	o, _ := parse(args)
	if o.version {
		fmt.Fprintf(stdout, "pdig %s\n", version)
	} else {
		fmt.Fprint(stdout, usage(o))
	}
	return 0
}

// trace does what the arguments say in the place of the process that was
// started. It does not return before the last tracee has ended.
func trace(o *launch.Original) {
	defer o.Unmute()
	stderr := o.Stderr()
	if err := launch.IgnoreSignals(); err != nil {
		refuse(o, stderr, err)
	}
	opts, err := parse(o.Args()[1:])
	if err != nil {
		refuse(o, stderr, err)
	}
	if opts.help || opts.version {
		o.Resume()
	}
	target, err := launch.Resolve(opts.command[0])
	if err != nil {
		refuse(o, stderr, err)
	}
	// The file stays open as long as there is something to say.
	log, _, err := cli.Logger("pdig", opts.logLevel, stderr, opts.logFile)
	if err != nil {
		refuse(o, stderr, err)
	}
	producer, err := shm.NewProducer(opts.producer(log))
	if err != nil {
		refuse(o, stderr, err)
	}
	if !awaitSensor(producer, opts.waitSensor) {
		refuse(o, stderr, fmt.Errorf("no sensor reads the ring after %v (--wait-sensor)", opts.waitSensor))
	}
	cfg := tracer.Config{Calls: opts.calls, Snaplen: opts.snaplen, Pin: opts.pin == "auto", Sink: producer, Log: log}
	if opts.summary {
		cfg.Summary = stderr
	}
	err = tracer.Launch(o, tracer.Command{
		Target:   target,
		Index:    len(o.Args()) - len(opts.command),
		CloseFDs: opts.ringDescriptors(),
		Refused:  func(err error) { complain(stderr, err) },
	}, cfg)
	if err != nil {
		refuse(o, stderr, err)
	}
	if err := producer.Close(); err != nil {
		log.Error().Err(err).Msg("ring not closed")
	}
}

// refuse ends the process and its tracer before the command was started.
func refuse(o *launch.Original, stderr io.Writer, err error) {
	if !errors.Is(err, launch.ErrOriginalDied) { // who has ended it does not wonder
		complain(stderr, err)
	}
	status := launch.StatusFailed
	var start *launch.StartError
	if errors.As(err, &start) {
		status = start.Status()
	}
	o.Exit(status)
}

// awaitSensor waits for a reader of the ring, at most for the given time; a
// negative one is for ever. It reports whether the command may start.
func awaitSensor(p *shm.Producer, wait time.Duration) bool {
	if wait == 0 {
		return true
	}
	const pause = 5 * time.Millisecond
	for start := time.Now(); wait < 0 || time.Since(start) < wait; time.Sleep(pause) {
		if p.Active() {
			return true
		}
	}
	return p.Active()
}
