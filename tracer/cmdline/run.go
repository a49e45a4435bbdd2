// Package cmdline is the command line of pdig: options, wiring and exit statuses, for
// pdig itself and for programs that do the same in another role.
package cmdline

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/tracer"
	"github.com/pdig/pdig/tracer/launch"
)

// Main is the program: it does what the arguments say and ends the process.
func Main() {
	switch launch.Self() {
	case launch.Resumed:
		os.Exit(resume(os.Args[1:], os.Stdout, os.Stderr))
	case launch.Tracer:
		process := launch.Start()
		Trace(process, process.Args()[1:])
	default:
		complain(os.Stderr, "pdig", fmt.Errorf("cannot become the command: %w", launch.Reexec()))
		os.Exit(launch.StatusFailed)
	}
}

// complain prints why the command is not started: one line.
func complain(w io.Writer, program string, err error) { fmt.Fprintf(w, "%s: %v\n", program, err) }

func (o *Options) complain(w io.Writer, err error) { complain(w, o.name(), err) }

// resume does what starts no command. The arguments have been parsed before.
func resume(args []string, stdout, stderr io.Writer) int {
	o, _ := parse(args)
	switch {
	case o.version:
		fmt.Fprintf(stdout, "pdig %s\n", cli.Version)
	case o.help:
		fmt.Fprint(stdout, usage(o))
	case o.doctor != "":
		return o.Examine(stdout, stderr)
	default:
		return o.Attach(stderr)
	}
	return 0
}

// Trace does what the arguments, the last ones of the process that was started, say in
// its place. It does not return before the last tracee has ended.
func Trace(o *launch.Original, args []string) {
	defer o.Unmute()
	if err := launch.IgnoreSignals(); err != nil {
		Refuse(o, "pdig", err)
	}
	opts, err := parse(args)
	if err != nil {
		Refuse(o, "pdig", err)
	}
	if opts.help || opts.version || opts.doctor != "" || opts.attaches() {
		// The process cannot go on as a Go program if a pid namespace was set
		// for its children: it has no threads then.
		if err := o.Wait(); err != nil {
			Refuse(o, "pdig", err)
		}
		o.Resume()
	}
	opts.Launch(o)
}

// Launch makes the process the command, traces it, and returns when neither it nor a
// descendant is left. When the command cannot be started it ends both processes.
// Preconditions: [launch.IgnoreSignals] was called, and [Options.Check] with a command
// that stands at the end of the arguments of the process.
func (o *Options) Launch(process *launch.Original) {
	stderr := process.Stderr()
	target, err := launch.Resolve(o.command[0])
	if err != nil {
		Refuse(process, o.name(), err)
	}
	words := stderr
	if o.Words != nil {
		words = o.Words
	}
	// The file stays open as long as there is something to say.
	log, _, err := cli.Logger(o.name(), o.logLevel, words, o.logFile)
	if err != nil {
		Refuse(process, o.name(), err)
	}
	ring, err := o.openRing(log)
	if err != nil {
		Refuse(process, o.name(), err)
	}
	// Whoever has ended the process meanwhile has ended the wait: Launch says so.
	died := func() bool { return process.Wait() != nil }
	ring.GiveUp(died) // --priority security waits in there
	if err := ring.await(o, died); err != nil {
		Refuse(process, o.name(), err)
	}
	cfg := o.config(stderr, ring.Producer, log)
	cfg.Ended = ring.commandEnded
	err = tracer.Launch(process, tracer.Command{
		Target:   target,
		Index:    len(process.Args()) - len(o.command),
		CloseFDs: o.ringDescriptors(),
		Refused:  func(err error) { o.complain(stderr, err) },
	}, cfg)
	if err != nil {
		ring.close()
		Refuse(process, o.name(), err)
	}
	ring.close()
}

// config is what the options say of the trace.
func (o *Options) config(stderr io.Writer, sink tracer.Sink, log zerolog.Logger) tracer.Config {
	cfg := tracer.Config{
		Calls: o.calls, Snaplen: o.snaplen, ArgsLimit: o.argsLimit, WaitAll: o.waitAll, Pin: o.pin == "auto",
		Release: o.onPtrace == "release", Adopt: o.adopt, Visitors: o.Visitors && !o.flags.Changed("adopt"), Kill: o.secure(), Sink: sink, Log: log,
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

// Refuse ends the process and its tracer before the command was started.
func Refuse(o *launch.Original, program string, err error) {
	if !errors.Is(err, launch.ErrOriginalDied) { // who has ended it does not wonder
		complain(o.Stderr(), program, err)
	}
	status := launch.StatusFailed
	var start *launch.StartError
	if errors.As(err, &start) {
		status = start.Status()
	}
	o.Exit(status)
}
