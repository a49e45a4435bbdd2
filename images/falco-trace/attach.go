package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	tracer "github.com/pdig/pdig/tracer/cmdline"
	"github.com/pdig/pdig/tracer/launch"
)

func attachOptions() *options { return newOptions("attach", "wait-all") }

// attach watches processes that run already.
func attach(args []string, stdout, stderr io.Writer) int {
	o := attachOptions()
	err := o.parse(args)
	switch {
	case o.help:
		o.usage(stdout, "attach [options] -p PID[,PID...]", "Watches processes that run already, all their threads and the children born later, until they\nhave ended or a signal comes. In a container of its own it needs their pid namespace, and their\nuser or SYS_PTRACE.")
		return 0
	case errors.Is(err, tracer.ErrNoCommand):
		err = fmt.Errorf("no process given (see %s attach --help)", program)
	case err == nil:
		err = o.start(int(os.Stdout.Fd()), int(os.Stderr.Fd()))
	}
	if err != nil {
		fail(stderr, err)
		return launch.StatusFailed
	}
	return o.tracer.Attach(stderr)
}
