package launch

import (
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// Exit statuses of a process that did not become the command.
const (
	StatusFailed        = 125 // our own failure before the start
	StatusNotExecutable = 126 // found, but cannot be executed
	StatusNotFound      = 127
)

// Role says what the calling process is.
type Role uint8

// PlainMark is what the name of a program, its argument zero, begins with, when it is
// executed to start no command: it is [Plain] then, which saves it a copy.
const PlainMark = '+'

const (
	// Plain is a process that began at the entry of the Go runtime, because
	// the program was linked without -E: it can go on as it is, or [Reexec].
	Plain Role = iota
	// Tracer is the copy: it calls [Start].
	Tracer
	// Resumed is the original process after [Original.Resume].
	Resumed
)

// Self returns the role of the calling process.
func Self() Role {
	switch {
	case region == nil:
		return Plain
	case region.resumed.Load() != 0:
		return Resumed
	}
	return Tracer
}

var (
	// ErrPIDNamespace is why a tracer cannot see the process that it should
	// trace: the caller had set a pid namespace for its children.
	ErrPIDNamespace = errors.New("the tracer is in a pid namespace of its own, in which there is no command to trace (does unshare lack --fork?)")
	// ErrOriginalDied means that nobody is left to become the command.
	ErrOriginalDied = errors.New("the process to become the command has ended")
)

// Original is the process that was started and that waits to be the command.
type Original struct {
	mem       *memory
	pid       int
	args      []string
	inherited []int
	script    script
	plan      Plan
	calls     calls
	listener  listener
}

// Start returns the process that waits for this one, which must be its tracer.
// It is the first thing that main does, before any descriptor is opened
// without the close-on-exec flag. The strings of os.Args are copies after it,
// so that [Original.ReleaseInherited] does not change them. Descriptor 2 is
// mute until [Original.Unmute].
func Start() *Original {
	args := make([]string, len(os.Args))
	for i, a := range os.Args {
		args[i] = strings.Clone(a)
	}
	os.Args = args
	return &Original{
		mem:       region,
		pid:       int(region.pid),
		args:      args,
		inherited: openDescriptors(),
		script:    script{mem: region},
		listener:  listener{socket: -1},
	}
}

// PID is the process as the tracer sees it, once [Original.Wait] has returned nil.
func (o *Original) PID() int { return o.pid }

// Args are the arguments that the process was started with; the caller must
// not change them.
func (o *Original) Args() []string { return o.args }

// Wait returns when the process may be seized, in a few microseconds as a rule;
// when it has been stopped, only after it was continued. The errors are
// [ErrPIDNamespace] and [ErrOriginalDied]; after any of them [Original.Exit]
// is what is left to do.
func (o *Original) Wait() error {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		switch unix.Getppid() {
		case o.pid:
		case 0:
			return ErrPIDNamespace
		default:
			return ErrOriginalDied
		}
		if o.mem.ready.Load() != 0 {
			return nil
		}
		sleep(pause)
	}
}

// sleep needs no descriptor, of which there may be none left: the runtime opens
// some for its first timer.
func sleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // a signal may end it
}

// strangerWait bounds how long Exit and Resume wait for a process whose end
// cannot be seen. It has one system call to do in that time.
const strangerWait = 10 * time.Second

// settle waits until the process knows its tracer, and ends the tracer when
// nobody is left who would.
func (o *Original) settle() {
	err := o.Wait()
	if errors.Is(err, ErrPIDNamespace) {
		for end := time.Now().Add(strangerWait); o.mem.ready.Load() == 0 && time.Now().Before(end); {
			sleep(time.Millisecond)
		}
	}
	if errors.Is(err, ErrOriginalDied) || o.mem.ready.Load() == 0 {
		os.Exit(StatusFailed)
	}
}

// Exit ends the tracer and then the process with the given status. What the
// tracer has printed is out before anybody sees that end.
// Preconditions: the process is not seized and [Original.Run] was not called.
func (o *Original) Exit(status int) {
	o.settle()
	o.script.reset()
	o.script.call(unix.SYS_WAIT4, uint64(o.mem.tracer), 0, unix.WALL, 0)
	o.script.call(unix.SYS_EXIT_GROUP, uint64(status))
	o.Run()
	os.Exit(0)
}

// Resume ends the tracer; the process then begins anew as a Go program whose
// [Self] is [Resumed], with its terminal, job and pid: for all that starts no
// command.
// Preconditions: as for [Original.Exit].
func (o *Original) Resume() {
	o.settle()
	o.mem.resumed.Store(1)
	o.script.reset()
	o.script.call(unix.SYS_WAIT4, uint64(o.mem.tracer), 0, unix.WALL, 0)
	o.script.call(opGo)
	o.Run()
	os.Exit(0)
}

// Run lets the process carry out its script, which [Original.Load] has written.
// It is seized by then. Its first stops are those of the calls of the script
// that the filter traces: sendmsg if the listener was asked for, then execve.
func (o *Original) Run() {
	o.Unmute()
	o.mem.gate.Store(1)
	sys.FutexWake(&o.mem.gate, 1)
}
