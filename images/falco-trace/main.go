// Command falco-trace is tracer and sensor in one program, for containers: it runs a
// command that is watched, without a shell, a configuration or a directory to write to.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pdig/pdig/images/falco-trace/verify"
	"github.com/pdig/pdig/internal/cli"
	sensor "github.com/pdig/pdig/sensor/cmdline"
	tracer "github.com/pdig/pdig/tracer/cmdline"
	"github.com/pdig/pdig/tracer/launch"
)

const program = "falco-trace"

// role is one of the things that the program does. It returns the exit status.
type role struct {
	name, synopsis, what string
	do                   func(args []string, stdout, stderr io.Writer) int
}

// roleRun is the one in which the process becomes a command.
const roleRun = "run"

// roleBeside is the sensor of the others, roleTracer the tracer of a sensor with a command.
// Nobody asks for them but they.
const (
	roleBeside = "beside"
	roleTracer = "tracer"
)

func roles() []role {
	return []role{
		{roleRun, "run [options] [--] command [argument...]", "become the command, and watch it and all its descendants", helpRun},
		{"attach", "attach [options] -p PID[,PID...]", "watch processes that run already", attach},
		{"sensor", "sensor [options] [filter words...]", "show the events of the command of another container, or all else that sensor does", sensorRole},
		{"copy", "copy DIRECTORY", "put this program there, for containers whose image is without", copySelf},
		{"doctor", "doctor [--json]", "try what works here, and say what helps", doctor},
		{"verify", "verify IMAGE.tar...", "say of images in files whether this program will run in their containers", verifyImages},
	}
}

func main() {
	switch launch.Self() {
	case launch.Tracer:
		process := launch.Start()
		switch args := process.Args(); {
		case is(roleRun, args):
			run(process)
			return
		case is(roleTracer, args):
			tracer.Trace(process, args[2:])
			return
		}
		// All other roles start no command, and go on in the original process.
		if err := process.Wait(); err != nil {
			tracer.Refuse(process, program, err)
		}
		process.Resume()
	case launch.Plain:
		if is(roleRun, os.Args) && !asksHelp(os.Args[2:]) || is(roleTracer, os.Args) {
			fail(os.Stderr, fmt.Errorf("cannot become the command: %w", launch.Reexec()))
			os.Exit(launch.StatusFailed)
		}
	}
	os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr))
}

// is reports whether a command line asks for a role.
func is(role string, args []string) bool { return len(args) > 1 && args[1] == role }

func dispatch(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fail(stderr, fmt.Errorf("no role given (see %s --help)", program))
		return statusUsage
	}
	switch args[0] {
	case "-h", "--help":
		usage(stdout)
		return 0
	case "--version":
		fmt.Fprintf(stdout, "%s %s\n", program, cli.Version)
		return 0
	case roleBeside:
		return sensor.RunBeside(args[1:], stdout, stderr)
	}
	for _, r := range roles() {
		if r.name == args[0] {
			return r.do(args[1:], stdout, stderr)
		}
	}
	fail(stderr, fmt.Errorf("unknown role: %s (see %s --help)", args[0], program))
	return statusUsage
}

// Exit statuses of the roles that start no command.
const (
	statusFailed = 1
	statusUsage  = 2
)

func fail(w io.Writer, err error) { fmt.Fprintf(w, "%s: %v\n", program, err) }

func usage(w io.Writer) {
	lead := "usage: "
	for _, r := range roles() {
		fmt.Fprintf(w, "%s%s %s\n           %s\n", lead, program, r.synopsis, r.what)
		lead = "       "
	}
	fmt.Fprintf(w, "\nEach role has a --help. Every option may be given by the environment too: --log-file\nby %s, and so on.\n", cli.Variable(variables, "log-file"))
}

// verifyImages says of images what this program would do in them.
func verifyImages(args []string, stdout, stderr io.Writer) int {
	return verify.Run(commandOf, args, stdout, stderr)
}

// commandOf reads the arguments of run as it does in a container.
func commandOf(args []string, lookup func(string) (string, bool)) ([]string, error) {
	o := runOptions()
	err := o.parseIn(args, lookup)
	if errors.Is(err, tracer.ErrNoCommand) {
		err = nil // which has a verdict of its own
	}
	return o.flags.Args(), err
}

// sensorRole is the program sensor.
func sensorRole(args []string, _, _ io.Writer) int {
	sensor.Host{Tracer: []string{roleTracer}, Variables: variables}.Main(args)
	return 0
}
