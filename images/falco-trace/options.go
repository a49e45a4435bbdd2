package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/internal/sys"
	sensor "github.com/pdig/pdig/sensor/cmdline"
	tracer "github.com/pdig/pdig/tracer/cmdline"
	"github.com/pdig/pdig/tracer/launch"
)

// variables is what the names of environment variables begin with.
const variables = "FALCO_TRACE_"

// options are those of the roles that watch: the tracer's, the sensor's, and where its
// events go.
type options struct {
	flags  *pflag.FlagSet
	tracer *tracer.Options
	sensor *sensor.Beside
	output string
	help   bool
}

// newOptions are the options of a role, which lacks some of the tracer's.
func newOptions(role string, without ...string) *options {
	name := program + " " + role
	o := &options{flags: cli.NewFlagSet(name), tracer: tracer.New(program), sensor: sensor.NewBeside(name)}
	o.flags.SetInterspersed(false)
	o.flags.StringVarP(&o.output, "output", "o", "", "start a sensor that writes the events to `WHERE`: stdout, stderr, a file, or unix:PATH for a socket on which somebody listens; without it the events are for whoever reads the ring")
	o.flags.BoolVarP(&o.help, "help", "h", false, "print this help")
	cli.Join(o.flags, o.tracer.Flags(), append(without, "doctor", "help", "version")...)
	o.flags.Lookup("wait-sensor").DefValue = "never; with -o or -w 10s, and then it goes on without"
	o.sensor.Flags().Lookup("format").Shorthand = "" // -p is a process, in whatever role
	cli.Join(o.flags, o.sensor.Flags())
	return o
}

// parse reads the arguments and the environment. Its errors name the option.
func (o *options) parse(args []string) error { return o.parseIn(args, os.LookupEnv) }

// parseIn is parse with the environment of a container.
func (o *options) parseIn(args []string, lookup func(string) (string, bool)) error {
	if err := cli.Parse(o.flags, args); err != nil || o.help {
		return err
	}
	if err := cli.ParseEnvironment(o.flags, variables, lookup); err != nil {
		return err
	}
	if err := o.tracer.Check(o.flags.Args()); err != nil {
		return err
	}
	if err := o.absolute("write", "log-file"); err != nil {
		return err
	}
	if err := o.sensor.Check(); err != nil {
		return err
	}
	if o.watches() && o.flags.Changed("ring") {
		return fmt.Errorf("--ring: a sensor that is started by --output or --write has a ring of its own")
	}
	return nil
}

// absolute has names of files mean the same for the sensor, which has another
// directory.
func (o *options) absolute(names ...string) error {
	for _, name := range names {
		f := o.flags.Lookup(name)
		if !f.Changed || f.Value.String() == "" {
			continue
		}
		path, err := filepath.Abs(f.Value.String())
		if err == nil {
			err = o.flags.Set(name, path)
		}
		if err != nil {
			return fmt.Errorf("--%s: %w", name, err)
		}
	}
	return nil
}

// watches reports whether a sensor is to be started.
func (o *options) watches() bool { return o.output != "" || o.flags.Changed("write") }

// start prepares the start of the sensor, for events that may go to one of two
// descriptors of the command.
func (o *options) start(stdout, stderr int) error {
	if !o.watches() {
		return nil
	}
	place := o.output
	if place == "" {
		place = os.DevNull
	}
	open, err := beside.Output(place, stdout, stderr)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	// What sensor and tracer have to say themselves is on a stream of the command only
	// if the events are as well.
	var words *os.File
	if place == beside.Stdout || place == beside.Stderr {
		dup, err := beside.Output(beside.Stderr, stdout, stderr)
		if err == nil {
			words, err = dup()
		}
		if err != nil {
			return fmt.Errorf("--output: %w", err)
		}
		o.tracer.Words = words
	}
	self, err := sys.Self()
	if err != nil {
		return err
	}
	o.tracer.Beside = func(log zerolog.Logger) (*beside.Sensor, error) {
		return beside.Start(beside.Config{
			Path: self, Args: append([]string{string(launch.PlainMark) + program, roleBeside}, o.sensorArgs()...), RingSize: o.sensor.RingSize(),
			Output: open, Words: words, Log: log,
		})
	}
	return nil
}

// sensorArgs are the sensor's options. Those that it has in common with the tracer were
// read by that.
func (o *options) sensorArgs() []string {
	var args []string
	for _, name := range []string{"snaplen", "log-level", "log-file"} {
		if f := o.flags.Lookup(name); f.Changed {
			args = append(args, "--"+name+"="+f.Value.String())
		}
	}
	if o.output == "" {
		args = append(args, "--quiet") // a capture only
	}
	return append(args, o.sensor.Args()...)
}

// usage is the text of --help of a role.
func (o *options) usage(w io.Writer, synopsis, text string) {
	fmt.Fprintf(w, "usage: %s %s\n\n%s\n\noptions, each of which may be given by %s... too:\n%s", program, synopsis, text, variables, cli.Usage(o.flags))
}
