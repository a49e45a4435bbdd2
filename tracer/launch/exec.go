package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// ErrNoFilter is why no process can be given a filter here.
var ErrNoFilter = errors.New("seccomp filters are not to be had")

// Filters returns nil if the kernel, and the filters that the process has
// already, let a filter be installed that serves a tracer, else an [ErrNoFilter].
func Filters() error {
	var name unix.Utsname
	if unix.Uname(&name) == nil && isGVisor(unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Version[:])) {
		return fmt.Errorf("%w: in gVisor a call stops at its entry once more behind its filter", ErrNoFilter)
	}
	if errno := sys.ProbeFilter(0); errno != unix.EFAULT {
		return fmt.Errorf("%w: seccomp: %w", ErrNoFilter, errno)
	}
	return nil
}

// isGVisor tells the kernel of gVisor by what uname says of it: it has the order of stops of
// Linux before 4.8, where the stop that follows that of a filter is not the end of the call.
// Older ones claim to be Linux 4.4, with the same version.
func isGVisor(release, version string) bool {
	return strings.HasSuffix(release, "gvisor") || version == "#1 SMP Sun Jan 10 15:06:54 PST 2016"
}

// Plan is what the process has to do to become the command.
type Plan struct {
	// Target is what to execute.
	Target Target
	// Command is the index, in [Original.Args], of the name that the command
	// gets as its argument zero; what follows are its arguments.
	Command int
	// Filter is installed before the exec, if there is one.
	Filter []unix.SockFilter
	// Listener asks that the filter occupies the one place for a listener of
	// user notifications that a chain of filters has, so that no filter of the
	// command can answer for its calls. See [Original.Listener].
	Listener bool
	// CloseFDs are inherited descriptors that are not for the command.
	CloseFDs []int
}

// calls are those entries of the script whose results tell what happened.
type calls struct {
	socket    *entry
	plain     []*entry // seccomp without
	noNewPriv []*entry
	send      *entry // runs only when the filter is in, with a listener
	exec      *entry // the execve that was or will be tried
	spare     *entry // for the next execve, when that one fails
	path      []byte // of exec, in the region
	last      *entry // exit_group when nothing could be executed

	arg0, arg1 *entry // write the first two arguments of the shell
	shellName  uint64
	shell      bool // exec is that of the shell
}

// Load writes the script. The process does nothing yet, and if the plan cannot
// be carried out [Original.Exit] is still possible.
// Preconditions: [Original.Wait] has returned nil.
func (o *Original) Load(p Plan) error {
	if p.Command < 1 || p.Command >= len(o.args) {
		return fmt.Errorf("launch: argument %d of %d cannot be a command", p.Command, len(o.args))
	}
	o.plan, o.calls = p, calls{}
	s := &o.script
	s.reset()
	for _, fd := range p.CloseFDs {
		s.call(unix.SYS_CLOSE, uint64(fd))
	}
	if len(p.Filter) == 0 {
		o.loadExec()
	} else {
		o.loadFilter()
	}
	if s.err != nil {
		return fmt.Errorf("launch: %w", s.err)
	}
	return nil
}

// loadExec writes the execve of the first candidate, and room for what follows
// when it fails.
func (o *Original) loadExec() {
	s, c := &o.script, &o.calls
	c.path = s.space(unix.PathMax)
	copy(c.path, o.plan.Target.paths[0])
	c.exec = s.call(unix.SYS_EXECVE, at(c.path), o.mem.argvAddr(o.plan.Command), o.mem.envpAddr())
	c.last = s.call(unix.SYS_EXIT_GROUP, StatusNotExecutable)
	c.shellName = s.string(shell)
	c.arg0 = s.store(o.mem.argvAddr(o.plan.Command-1), c.shellName)
	c.arg1 = s.store(o.mem.argvAddr(o.plan.Command), at(c.path))
	c.spare = s.call(unix.SYS_EXECVE)
	c.spare.then(c.last)
}

// loadFilter writes the installation of the filter, and the execve behind it.
// The privileges of the command decide: with CAP_SYS_ADMIN in its user
// namespace, or with no_new_privs already set, the filter is taken as it is;
// otherwise no_new_privs has to be set, after which set-user-ID programs keep
// the user that runs them.
func (o *Original) loadFilter() {
	s, c := &o.script, &o.calls
	prog := s.space(unix.SizeofSockFprog)
	binary.NativeEndian.PutUint16(prog, uint16(len(o.plan.Filter)))
	binary.NativeEndian.PutUint64(prog[8:], at(s.bytes(sys.FilterBytes(o.plan.Filter))))
	flags := sys.FilterFlags()
	plain := func() *entry {
		e := s.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, at(prog))
		c.plain = append(c.plain, e)
		return e
	}
	noNewPrivs := func() *entry {
		e := s.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		c.noNewPriv = append(c.noNewPriv, e)
		return e
	}

	with := o.plan.Listener && o.openListener()
	var listening [2]*entry
	if with {
		c.socket = s.call(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		for i := range listening {
			listening[i] = s.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, at(prog))
		}
		c.send = s.call(unix.SYS_SENDMSG, 0, 0, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		o.loadMessage(listening[:])
	}
	first := plain()
	privs := noNewPrivs()
	second := plain()
	refused := s.call(unix.SYS_EXIT_GROUP, StatusFailed)
	o.loadExec()

	first.branch(c.exec, privs)
	privs.branch(second, refused)
	second.branch(c.exec, refused)
	if !with {
		return
	}
	// With a socket the same again, each time with a listener first. Whatever
	// the error of that was, the plain filter has its try: EBUSY (someone else
	// listens) is as good a reason as EACCES, for which it fails too.
	again := noNewPrivs()
	after := plain()
	c.socket.branch(listening[0], first)
	listening[0].branch(c.send, after)
	after.branch(c.exec, again)
	again.branch(listening[1], refused)
	listening[1].branch(c.send, second)
	c.send.then(c.exec)
}

// Outcome says how the filter went in. It is meaningful once the process has
// stopped in its execve, or has ended before.
type Outcome struct {
	// NoNewPrivs tells that no_new_privs had to be set and was.
	NoNewPrivs bool
	// Filter is why the process ends with [StatusFailed]: nobody could be made
	// to take the filter. It is nil when none was asked for.
	Filter error
}

// Outcome reads the results of the script.
func (o *Original) Outcome() Outcome {
	var out Outcome
	for _, e := range o.calls.noNewPriv {
		out.NoNewPrivs = out.NoNewPrivs || e.res == 0
	}
	installed := o.calls.send != nil && o.calls.send.res != notRun
	var last error
	for _, e := range o.calls.plain {
		switch {
		case e.res == notRun:
		case e.res == 0:
			installed = true
		default:
			last = fmt.Errorf("seccomp: %w", unix.Errno(-e.res))
		}
	}
	if !installed {
		out.Filter = last
	}
	return out
}

// StartError is why a command was not started.
type StartError struct {
	Path  string
	Errno unix.Errno
}

func (e *StartError) Error() string { return e.Path + ": " + e.Errno.Error() }

func (e *StartError) Unwrap() error { return e.Errno }

// Status is the exit status that says so: [StatusNotFound] or [StatusNotExecutable].
func (e *StartError) Status() int {
	if e.Errno == unix.ENOENT { // nothing else, as env(1) has it
		return StatusNotFound
	}
	return StatusNotExecutable
}

// shell executes a file that the kernel does not know, as execvp wants it.
const shell = "/bin/sh"

// Refused tells what comes after an execve of the script that has failed. If
// it returns nil the process tries another execve: of the next candidate, or of
// the shell for a file without a known format. Otherwise it ends with the
// status of the [*StartError].
// Preconditions: the process stands in the exit stop of that execve.
func (o *Original) Refused(errno unix.Errno) error {
	c, t := &o.calls, &o.plan.Target
	path := unix.ByteSliceToString(c.path)
	switch {
	case c.shell:
		path = shell
	case errno == unix.ENOEXEC:
		// The arguments become those of the shell in their place on the stack,
		// which has room for one more: that of the program's own name.
		c.shell = true
		c.arg1.then(c.spare)
		o.retry(c.arg0, c.shellName, o.mem.argvAddr(o.plan.Command-1))
		return nil
	case t.next(errno):
		clear(c.path)
		copy(c.path, t.paths[0])
		o.retry(c.spare, at(c.path), o.mem.argvAddr(o.plan.Command))
		return nil
	case t.denied:
		errno = unix.EACCES
	}
	err := &StartError{Path: path, Errno: errno}
	c.last.args[0] = uint64(err.Status())
	return err
}

// retry makes the entries from first on follow the failed execve. They end in
// the spare one, which gets the given arguments and is the next to fail.
func (o *Original) retry(first *entry, path, argv uint64) {
	c := &o.calls
	c.spare.args = [6]uint64{path, argv, o.mem.envpAddr()}
	c.spare.then(c.last)
	c.exec.then(first)
	c.exec, c.spare = c.spare, c.exec
}
