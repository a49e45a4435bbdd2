// Package cmdline is the command line of pdig: options, wiring and exit statuses, for
// pdig itself and for programs that do the same in another role.
package cmdline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/tracer"
	"github.com/pdig/pdig/tracer/launch"
)

// Main is the program: it does what the arguments say and ends the process.
func Main() {
	switch launch.Self() {
	case launch.Resumed:
		os.Exit(resume(os.Args[1:], os.Stdout, os.Stderr))
	case launch.Tracer:
		trace(launch.Start())
	default:
		complain(os.Stderr, fmt.Errorf("cannot become the command: %w", launch.Reexec()))
		os.Exit(launch.StatusFailed)
	}
}

// complain prints why the command is not started: one line.
func complain(w io.Writer, err error) { fmt.Fprintf(w, "pdig: %v\n", err) }

// resume does what starts no command. The arguments have been parsed before.
func resume(args []string, stdout, stderr io.Writer) int {
	o, _ := parse(args)
	switch {
	case o.version:
		fmt.Fprintf(stdout, "pdig %s\n", cli.Version)
	case o.help:
		fmt.Fprint(stdout, usage(o))
	case o.doctor != "":
		return examine(o, stdout, stderr)
	default:
		return attach(o, stderr)
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
	if opts.help || opts.version || opts.doctor != "" || opts.attaches() {
		// The process cannot go on as a Go program if a pid namespace was set
		// for its children: it has no threads then.
		if err := o.Wait(); err != nil {
			refuse(o, stderr, err)
		}
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
	// Whoever has ended the process meanwhile has ended the wait: Launch says so.
	died := func() bool { return o.Wait() != nil }
	producer.GiveUp(died) // --priority security waits in there
	if !awaitSensor(producer, opts.waitSensor, died) {
		refuse(o, stderr, fmt.Errorf("no sensor reads the ring after %v (--wait-sensor)", opts.waitSensor))
	}
	cfg := opts.config(stderr, producer, log)
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

// config is what the options say of the trace.
func (o *options) config(stderr io.Writer, sink tracer.Sink, log zerolog.Logger) tracer.Config {
	cfg := tracer.Config{
		Calls: o.calls, Snaplen: o.snaplen, ArgsLimit: o.argsLimit, WaitAll: o.waitAll, Pin: o.pin == "auto",
		Release: o.onPtrace == "release", Adopt: o.adopt, Kill: o.secure(), Sink: sink, Log: log,
	}
	switch {
	case o.seccomp == "never", cfg.Release:
		cfg.Every = true
	case o.seccomp == "auto":
		if err := launch.Filters(); err != nil {
			log.Warn().Err(err).Msg("the command stops at every call")
			cfg.Every = true
		}
	}
	if o.summary {
		cfg.Summary = stderr
	}
	return cfg
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
// negative one is for ever. It reports whether there is one, or over tells that
// nobody waits any more.
func awaitSensor(p *shm.Producer, wait time.Duration, over func() bool) bool {
	if wait == 0 {
		return true
	}
	const pause = 5 * time.Millisecond
	for start := time.Now(); wait < 0 || time.Since(start) < wait; {
		if p.Active() || over() {
			return true
		}
		time.Sleep(pause)
	}
	return p.Active()
}
