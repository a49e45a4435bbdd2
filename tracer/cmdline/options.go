package cmdline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer"
)

// Options are the command line.
type Options struct {
	flags *pflag.FlagSet

	// Beside starts a sensor over a ring of its own, when it is sure that there is
	// a command or who to attach to. Nil: whoever reads the ring that the options name.
	Beside func(log zerolog.Logger) (*beside.Sensor, error)
	// Words is where the log of a command's tracer goes without --log-file. Nil: to
	// standard error until the command starts, then nowhere.
	Words io.Writer
	// Visitors has --adopt without the option, as far as it is possible.
	Visitors bool

	events     string
	captureAll bool
	snaplen    int
	argsLimit  int
	ring       string
	ringMode   string
	onFull     string
	schema     string
	waitFor    string
	priority   string
	onPtrace   string
	adopt      bool
	pin        string
	seccomp    string
	filter     bool
	ioUring    string
	pids       []string
	trees      []string
	waitAll    bool
	summary    bool
	level      string
	logFile    string
	doctor     string
	help       bool
	version    bool

	calls      *tracer.Selection
	ceiling    int
	mode       os.FileMode
	waitSensor time.Duration
	logLevel   zerolog.Level
	command    []string
	attach     tracer.Attachment
}

// ErrNoCommand is why there is nobody to trace.
var ErrNoCommand = errors.New("no command given")

// defaultSet is what --events selects when it is not given.
const defaultSet = "security"

// New returns the options of a program with their defaults.
func New(program string) *Options {
	o := &Options{flags: cli.NewFlagSet(program)}
	f := o.flags
	f.SetInterspersed(false) // what follows the command belongs to it
	f.StringArrayVarP(&o.pids, "pid", "p", nil, "attach to the process `PID[,PID...]` instead of running a command; may be repeated")
	f.StringArrayVarP(&o.trees, "proc-tree", "P", nil, "the same for the process `PID[,PID...]` and all its living descendants")
	f.StringVarP(&o.events, "events", "e", defaultSet, "system calls to record: `SET` of levels (exec, security, io, all), classes (%file, %network, %process, %signal, %memory, %desc, %ipc), names and numbers with commas between them; ! takes away")
	f.BoolVarP(&o.captureAll, "capture-all", "a", false, "record every call that has an event of its own")
	f.IntVarP(&o.snaplen, "snaplen", "s", 0, "keep `N` bytes of the data of read, write, send... (default what the reader of the ring asks for: 80)")
	f.IntVar(&o.argsLimit, "args-limit", 0, "keep `N` bytes of the arguments of a program, and of its environment; a list that is longer ends with its length, as [N bytes] (default 4096, without)")
	f.StringVar(&o.ring, "ring", shm.DefaultPrefix, "write into the pair of ring objects `PREFIX`_buf and PREFIX_descs: a name below /dev/shm, or a path")
	f.StringVar(&o.ringMode, "ring-mode", "0600", "permissions, an octal `MODE`, of ring objects that have to be created; if others may write, rings of others are used too")
	f.StringVar(&o.onFull, "on-full", "drop", "`drop|block` when the ring is full: drop the record and count it, or block the thread until there is room")
	f.StringVar(&o.schema, "schema", "auto", "`auto|336|374|418|newest` newest event types to send: auto is those that the reader knows")
	f.StringVar(&o.waitFor, "wait-sensor", "never", "`DUR|never|forever` how long the start waits for a reader of the ring, for example 5s")
	f.StringVar(&o.priority, "priority", "availability", "`availability|security` when pdig or the reader of the ring is gone: run on, unseen if need be; or be killed with pdig, and wait for a reader, which implies --on-full block and --wait-sensor forever")
	f.StringVar(&o.onPtrace, "on-ptrace", "report", "`report|release` when a traced process is to be traced by another one: leave it to the kernel, which refuses it, or hand the process and its further children over; release stops at every call, as --seccomp never")
	f.BoolVar(&o.adopt, "adopt", false, "trace also processes that come into the pid namespace of the command, or of the processes attached to, from outside (docker exec, nsenter)")
	f.StringVar(&o.pin, "pin", "auto", "`auto|never` placement: auto keeps the tracer and a thread that makes many calls on one CPU, unseen")
	f.StringVar(&o.seccomp, "seccomp", "auto", "`auto|always|never` stop at the recorded calls by a filter, or at every call, which is slower, but lets the processes outlive pdig: auto is a filter for a command, if the kernel takes one, and none for who is attached to")
	f.BoolVarP(&o.filter, "always-seccomp", "S", false, "the same as --seccomp always")
	f.StringVar(&o.ioUring, "io-uring", "report", "`report|deny` what is done in a ring of io_uring makes no calls: report the ring, or have its calls fail as if the kernel had none (ENOSYS)")
	f.BoolVar(&o.waitAll, "wait-all", false, "hold the end of the command until its last descendant has ended, as strace -f does")
	f.BoolVarP(&o.summary, "summary", "c", false, "print a table of the calls on stderr when the command, or pdig, ends: calls, errors, dropped records, time")
	f.StringVar(&o.level, "log-level", "error", "log pdig's own words from this `LEVEL` on: debug, info, warn, error")
	f.StringVar(&o.logFile, "log-file", "", "log to `FILE`, as JSON, instead of stderr, which pdig lets go of when the command starts")
	f.StringVar(&o.doctor, "doctor", "", "`[=json]` try what works here and what does not, and print it with the evidence and what helps, as text or as JSON; the status is 0 if commands can be run and recorded, else 1")
	f.Lookup("doctor").NoOptDefVal = formText
	f.BoolVarP(&o.help, "help", "h", false, "print this help")
	f.BoolVar(&o.version, "version", false, "print the version")
	return o
}

// Flags are the options to be read. [Options.Check] comes after it.
func (o *Options) Flags() *pflag.FlagSet { return o.flags }

// name is that of the program.
func (o *Options) name() string { return o.flags.Name() }

// usage is the text of --help.
func usage(o *Options) string {
	return "usage: pdig [options] [--] command [argument...]\n" +
		"       pdig [options] -p PID[,PID...] | -P PID[,PID...]\n" +
		"       pdig [options] --doctor[=json]\n\n" +
		"Runs the command, or attaches to processes that run, and records the system calls of all\n" +
		"their threads and of the children born later.\n\n" +
		"options:\n" + cli.Usage(o.flags)
}

// parse reads the arguments of pdig. Its errors name the option.
func parse(args []string) (*Options, error) {
	o := New("pdig")
	if err := cli.Parse(o.flags, args); err != nil {
		return o, err
	}
	if o.help || o.version {
		return o, nil
	}
	return o, o.Check(o.flags.Args())
}

// Check looks at all values and takes the command, which may be empty. Its errors
// name the option.
func (o *Options) Check(command []string) error {
	o.command = command
	for _, check := range []func() error{o.checkCalls, o.checkSnaplen, o.checkArgsLimit, o.checkPriority, o.checkRing, o.checkWait, o.checkLog, o.checkTargets} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// attaches reports whether there is no command.
func (o *Options) attaches() bool { return len(o.attach.PIDs)+len(o.attach.Trees) > 0 }

func (o *Options) checkTargets() (err error) {
	if o.attach.PIDs, err = pidList("pid", o.pids); err != nil {
		return err
	}
	if o.attach.Trees, err = pidList("proc-tree", o.trees); err != nil {
		return err
	}
	switch {
	case o.doctor != "":
		return o.checkDoctor()
	case o.attaches() && o.waitAll:
		return fmt.Errorf("--wait-all is for a command: without one %s waits for all anyway", o.name())
	case o.attaches() && len(o.command) > 0:
		return fmt.Errorf("--pid and --proc-tree exclude a command: %q", o.command[0])
	case !o.attaches() && len(o.command) == 0:
		return fmt.Errorf("%w (see %s --help)", ErrNoCommand, o.name())
	}
	return nil
}

func (o *Options) checkDoctor() error {
	switch {
	case o.doctor != formText && o.doctor != formJSON:
		return cli.ValueError("doctor", o.doctor, "json or text")
	case o.attaches():
		return fmt.Errorf("--doctor and --pid or --proc-tree exclude each other")
	case len(o.command) > 0:
		return fmt.Errorf("--doctor excludes a command: %q", o.command[0])
	}
	return nil
}

// pidList reads the values of an option: numbers, with commas or white space
// between them as pgrep and pidof print them.
func pidList(option string, values []string) (pids []int, err error) {
	for _, value := range values {
		words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		for _, word := range words {
			pid, err := strconv.ParseInt(word, 10, 32)
			if err != nil || pid < 1 {
				return nil, cli.ValueError(option, word, "the number of a process")
			}
			pids = append(pids, int(pid))
		}
		if len(words) == 0 {
			return nil, cli.ValueError(option, value, "the number of a process")
		}
	}
	return pids, nil
}

func (o *Options) checkCalls() (err error) {
	if o.captureAll {
		if o.flags.Changed("events") {
			return fmt.Errorf("--capture-all and --events exclude each other")
		}
		o.calls = tracer.SelectCaptured()
	} else if o.calls, err = tracer.Select(o.events); err != nil {
		return fmt.Errorf("--events: %w", err)
	}
	switch o.ioUring {
	case "report":
	case "deny":
		o.calls.RefuseIOUring()
	default:
		return cli.ValueError("io-uring", o.ioUring, "report or deny")
	}
	return nil
}

func (o *Options) checkSnaplen() error {
	if o.flags.Changed("snaplen") && (o.snaplen < 1 || o.snaplen > tracer.MaxSnaplen) {
		return cli.ValueError("snaplen", strconv.Itoa(o.snaplen), fmt.Sprintf("between 1 and %d", tracer.MaxSnaplen))
	}
	return nil
}

func (o *Options) checkArgsLimit() error {
	if o.flags.Changed("args-limit") && (o.argsLimit < tracer.MinArgsLimit || o.argsLimit > tracer.MaxArgsLimit) {
		return cli.ValueError("args-limit", strconv.Itoa(o.argsLimit), fmt.Sprintf("between %d and %d", tracer.MinArgsLimit, tracer.MaxArgsLimit))
	}
	return nil
}

func (o *Options) checkPriority() error {
	switch o.priority {
	case "availability":
		return nil
	case "security":
		if o.onPtrace == "release" {
			return fmt.Errorf("--priority security and --on-ptrace release exclude each other: what is handed over is not seen")
		}
	default:
		return cli.ValueError("priority", o.priority, "availability or security")
	}
	for _, i := range []struct {
		option, value string
		to            *string
	}{{"on-full", "block", &o.onFull}, {"wait-sensor", "forever", &o.waitFor}} {
		if o.flags.Changed(i.option) && *i.to != i.value {
			return fmt.Errorf("--priority security and --%s %s exclude each other", i.option, *i.to)
		}
		*i.to = i.value
	}
	return nil
}

// secure reports whether nothing may be done unseen.
func (o *Options) secure() bool { return o.priority == "security" }

func (o *Options) checkRing() error {
	if o.ring == "" {
		return cli.ValueError("ring", o.ring, "the name of a ring")
	}
	if o.onFull != "drop" && o.onFull != "block" {
		return cli.ValueError("on-full", o.onFull, "drop or block")
	}
	if o.filter {
		if o.flags.Changed("seccomp") && o.seccomp != "always" {
			return fmt.Errorf("--always-seccomp and --seccomp %s exclude each other", o.seccomp)
		}
		o.seccomp = "always"
	}
	switch o.seccomp {
	case "auto", "always", "never":
	default:
		return cli.ValueError("seccomp", o.seccomp, "auto, always or never")
	}
	if o.onPtrace != "report" && o.onPtrace != "release" {
		return cli.ValueError("on-ptrace", o.onPtrace, "report or release")
	}
	if o.onPtrace == "release" && o.seccomp == "always" {
		return fmt.Errorf("--on-ptrace release and --seccomp always exclude each other: whoever is handed over would keep the filter, and its calls would fail")
	}
	if o.onPtrace == "release" && o.adopt {
		return fmt.Errorf("--on-ptrace release and --adopt exclude each other: what another tracer makes would be adopted")
	}
	if o.pin != "auto" && o.pin != "never" {
		return cli.ValueError("pin", o.pin, "auto or never")
	}
	mode, err := strconv.ParseUint(o.ringMode, 8, 9)
	if err != nil || mode == 0 {
		return cli.ValueError("ring-mode", o.ringMode, "an octal mode such as 0600")
	}
	o.mode = os.FileMode(mode)
	switch o.schema {
	case "auto":
	case "336", "374", "418":
		o.ceiling, _ = strconv.Atoi(o.schema)
	case "newest":
		o.ceiling = syscalls.CeilingNewest
	default:
		return cli.ValueError("schema", o.schema, "auto, 336, 374, 418 or newest")
	}
	return nil
}

func (o *Options) checkWait() error {
	switch o.waitFor {
	case "never":
	case "forever":
		o.waitSensor = -1
	default:
		d, err := time.ParseDuration(o.waitFor)
		if err != nil || d < 0 {
			return cli.ValueError("wait-sensor", o.waitFor, "a duration such as 5s, never or forever")
		}
		o.waitSensor = d
	}
	return nil
}

func (o *Options) checkLog() (err error) {
	o.logLevel, err = cli.Level(o.level)
	return err
}

// ringDescriptors are those of a ring that was inherited, which the command
// must not get.
func (o *Options) ringDescriptors() []int {
	var fds []int
	if list, ok := strings.CutPrefix(o.ring, "fd:"); ok {
		for _, s := range strings.Split(list, ",") {
			if fd, err := strconv.Atoi(s); err == nil {
				fds = append(fds, fd)
			}
		}
	}
	return fds
}
