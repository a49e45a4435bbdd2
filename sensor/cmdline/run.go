// Package cmdline is the command line of sensor: options, wiring and exit statuses, for
// sensor itself and for programs that have it in them.
package cmdline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/kernelsrc/modern"
	"github.com/pdig/pdig/sensor"
	"github.com/pdig/pdig/sensor/output"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/sensor/top"
)

// Exit statuses. With a command that has begun the status is the command's.
const (
	statusFailed = 1
	statusUsage  = 2
)

// Main is the program. It ends the process.
func (h Host) Main(args []string) {
	inheritQuit()
	status := h.run(args, os.Stdin, os.Stdout, os.Stderr)
	if status < 0 {
		status = die(unix.Signal(-status))
	}
	os.Exit(status)
}

// run does what the arguments say and returns the exit status; a negative one is
// the number of the signal that has ended the command.
func (h Host) run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := h.parse(args)
	var bad *refusedError
	switch {
	case errors.As(err, &bad):
		complainRefused(stderr, bad)
		return statusRefused
	case err != nil:
		complain(stderr, err)
		return statusUsage
	case o.help:
		fmt.Fprint(stdout, usage(o))
		return 0
	case o.version:
		fmt.Fprintf(stdout, "sensor %s\n", cli.Version)
		return 0
	case o.list != "" || o.listEvents:
		if err := o.listing(stdout); err != nil {
			complain(stderr, fmt.Errorf("output: %w", err))
			return statusFailed
		}
		return 0
	}
	// A reader of our output that goes away is an error of the write, no reason
	// to die without a word.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	p := program{options: o, host: h, stdin: stdin, stdout: stdout, stderr: stderr}
	status, err := p.run()
	if errors.Is(err, unix.EPIPE) && (o.output == "" || o.output == beside.Stdout || o.write == standard) {
		err = nil // who reads our output has seen enough
	}
	if err != nil {
		complain(stderr, err)
		if status == 0 {
			status = statusFailed
		}
	}
	return status
}

// complain says what went wrong: one line, whatever names are in it, for each error of
// several that were joined.
func complain(w io.Writer, err error) {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) && err.Error() == errors.Join(several.Unwrap()...).Error() {
		for _, err := range several.Unwrap() {
			complain(w, err)
		}
		return
	}
	var old *modern.OldKernelError
	if errors.As(err, &old) {
		fmt.Fprintf(w, "Error: %v\n", old) // Falco's words
		return
	}
	fmt.Fprintf(w, "sensor: %s\n", event.AppendLine(nil, err.Error()))
}

// program is one run.
type program struct {
	*options
	host           Host
	stdin          io.Reader
	stdout, stderr io.Writer
	to             io.Writer // where events go
	log            zerolog.Logger
	writer         *output.Writer
	top            *top.Top     // nil: nothing is counted
	files          recorder     // nil: no capture is written
	table          *state.Table // what its files begin with
	begun          bool         // the first of them has begun
	own            int64        // this process, where the source tells of it too
}

func (p *program) run() (status int, err error) {
	if err := checkFiles(); err != nil {
		return 0, err
	}
	var closeLog, closeOutput func() error
	if p.log, closeLog, err = cli.Logger("sensor", p.logLevel, p.stderr, p.logFile); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	if p.to, closeOutput, err = p.open(); err != nil {
		return 0, fmt.Errorf("--output: %w", err)
	}
	defer func() { err = errors.Join(err, closeOutput()) }()
	if p.options.top {
		p.top = tables(p.to)
	}
	if p.prints() {
		p.writer = output.NewWriter(p.to, p.outputFormat(coloured(p.to)))
	}
	if p.write != "" {
		if p.files, err = p.create(); err != nil {
			return 0, err
		}
		defer func() {
			if closeErr := p.files.Close(); !errors.Is(err, closeErr) { // else it has been said
				err = errors.Join(err, closeErr)
			}
		}()
		defer p.onRequest()()
	}
	switch {
	case p.driver != "":
		return 0, p.drive()
	case p.engines:
		usable, err := p.listEngines(p.to)
		if !usable {
			return statusFailed, err
		}
		return 0, err
	case len(p.command) > 0:
		return p.follow()
	case p.tracer != nil:
		return 0, p.besideTracer()
	case p.read != "":
		return 0, p.replay()
	}
	return 0, p.watch()
}

// open returns where events go.
func (p *program) open() (to io.Writer, done func() error, err error) {
	nothing := func() error { return nil }
	switch {
	case p.output == beside.Stderr, p.output == "" && len(p.command) > 0: // the other belongs to the command
		return p.stderr, nothing, nil
	case p.output == beside.Stdout, p.output == "":
		return p.stdout, nothing, nil
	}
	var f *os.File
	if path, ok := strings.CutPrefix(p.output, beside.Socket); ok {
		f, err = beside.Connect(path)
	} else {
		f, err = os.OpenFile(p.output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	}
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}

// watch prints what a source brings until a signal ends it.
func (p *program) watch() error {
	ctx, done := p.untilSignal()
	defer done()
	src, err := p.openSource()
	if err != nil {
		return err
	}
	return p.loop(ctx, src, living(p.show.lines))
}

// untilSignal is a context that a signal ends.
func (p *program) untilSignal() (ctx context.Context, done func()) {
	ctx, stop := signal.NotifyContext(context.Background(), endingSignals()...)
	context.AfterFunc(ctx, stop) // the next signal acts at once
	quit := quitQuietly()
	return ctx, func() { quit(); stop() }
}

// loop prints the events of a source, closes it, and says what was lost.
func (p *program) loop(ctx context.Context, src source.Source, table *state.Table) error {
	if p.seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(p.seconds)*time.Second)
		defer cancel()
	}
	cfg := sensor.Config{
		Source: src, State: table, Output: p.writer, Count: uint64(p.count),
		Filter: p.filter, Event: &p.event, Style: p.show.lines, Own: p.own,
	}
	if p.files != nil {
		p.table, cfg.Record = table, p.files
	}
	if p.top != nil {
		cfg.Watch = p.top
	}
	s := sensor.New(cfg)
	quiet := p.progress(src)
	err := s.Run(ctx)
	quiet()
	if p.top != nil {
		err = errors.Join(err, p.top.End())
	}
	if closeErr := src.Close(); err == nil {
		err = closeErr
	}
	p.report(s.Stats(), table.Stats(), s.Forgotten())
	return err
}

// report says what was lost, and what the tables could not hold.
func (p *program) report(events event.Stats, names state.Stats, forgotten uint64) {
	fmt.Fprintln(p.stderr, sensor.Summary(events))
	level := zerolog.DebugLevel
	if names.ThreadsLost > 0 || names.DescriptorsLost > 0 || names.ProgramsLost > 0 || names.Purged > 0 || forgotten > 0 {
		level = zerolog.WarnLevel
	}
	p.log.WithLevel(level).Int("threads", names.Threads).Int("descriptors", names.Descriptors).
		Uint64("lookups", names.Lookups).Uint64("unknown", names.Unknown).Uint64("purged", names.Purged).
		Uint64("threads_lost", names.ThreadsLost).Uint64("descriptors_lost", names.DescriptorsLost).
		Uint64("programs_lost", names.ProgramsLost).Uint64("enters_forgotten", forgotten).
		Msg("tables of threads and descriptors")
}
