package main

import (
	"io"
	"os"
	"slices"

	tracer "github.com/pdig/pdig/tracer/cmdline"
	"github.com/pdig/pdig/tracer/launch"
)

func runOptions() *options { return newOptions(roleRun, "pid", "proc-tree") }

// initPID is the first process of a pid namespace. With one of its own a container is
// watched as a whole; where several share one, nobody's command is the first.
const initPID = 1

// run makes the process that waits the command. It does not return before the last
// descendant of it has ended.
func run(process *launch.Original) {
	defer process.Unmute()
	if err := launch.IgnoreSignals(); err != nil {
		tracer.Refuse(process, program, err)
	}
	o := runOptions()
	err := o.parse(process.Args()[2:])
	switch {
	case o.help:
		if err := process.Wait(); err != nil {
			tracer.Refuse(process, program, err)
		}
		process.Resume()
	case err == nil:
		o.tracer.Visitors = process.PID() == initPID
		err = o.start(int(os.Stdout.Fd()), process.StderrDescriptor())
	}
	if err != nil {
		tracer.Refuse(process, program, err)
	}
	o.tracer.Launch(process)
}

// asksHelp reports whether arguments of run ask for help.
func asksHelp(args []string) bool {
	o := runOptions()
	_ = o.flags.Parse(args)
	return o.help
}

// helpRun is all of run that starts no command.
func helpRun(args []string, stdout, stderr io.Writer) int {
	o := runOptions()
	if err := o.parse(args); err != nil {
		fail(stderr, err)
		return launch.StatusFailed
	}
	r := roles()[slices.IndexFunc(roles(), func(r role) bool { return r.name == roleRun })]
	o.usage(stdout, r.synopsis, "The process becomes the command: its pid, signals, streams and exit status are those of a run\nwithout "+program+". With -o a sensor beside it shows what the command and its descendants do; it\nends when it has shown all, and the end of the command waits for that, for some seconds at most.")
	return 0
}
