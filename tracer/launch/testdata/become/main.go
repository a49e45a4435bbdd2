// Command become runs a command by package launch and traces no more than is
// needed to run it. Options begin with a plus sign.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/tracer/launch"
)

func main() {
	switch launch.Self() {
	case launch.Plain:
		fail(launch.Reexec())
	case launch.Resumed:
		resumed()
	case launch.Tracer:
		become(launch.Start())
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "become:", err)
	os.Exit(launch.StatusFailed)
}

// resumed is the original process as a Go program.
func resumed() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	fmt.Println("resumed", os.Getpid(), strings.Join(os.Args[1:], " "))
	fmt.Println("signal", <-c)
	os.Exit(7)
}

type options struct {
	filter, listener bool
	stderr           bool // keep it
	mute             bool // until the command is started
	die              string
	report           *os.File
	closeFDs         []int
}

func become(o *launch.Original) {
	var opt options
	args, at := o.Args()[1:], 1
	for ; len(args) > 0 && strings.HasPrefix(args[0], "+"); args, at = args[1:], at+1 {
		name, value, _ := strings.Cut(args[0][1:], "=")
		switch name {
		case "filter":
			opt.filter = true
		case "listener":
			opt.filter, opt.listener = true, true
		case "stderr":
			opt.stderr = true
		case "mute":
			fmt.Fprintln(os.Stderr, "nobody reads this")
			fmt.Fprintln(o.Stderr(), "before the command")
			opt.mute = true
		case "die":
			opt.die = value
		case "resume":
			o.Resume()
		case "exit":
			fmt.Println("last words")
			status, _ := strconv.Atoi(value)
			o.Exit(status)
		case "report":
			f, err := os.Create(value)
			if err != nil {
				exit(o, err)
			}
			opt.report = f
		case "close":
			fd, _ := strconv.Atoi(value)
			opt.closeFDs = append(opt.closeFDs, fd)
		default:
			exit(o, fmt.Errorf("unknown option %s", name))
		}
	}
	if !opt.mute {
		o.Unmute()
	}
	if opt.die == "early" {
		kill()
	}
	if err := launch.IgnoreSignals(); err != nil {
		exit(o, err)
	}
	if len(args) == 0 {
		exit(o, errors.New("no command"))
	}
	target, err := launch.Resolve(args[0])
	if err != nil {
		var start *launch.StartError
		errors.As(err, &start)
		fmt.Fprintln(os.Stderr, "become:", err)
		o.Exit(start.Status())
	}
	run(o, opt, launch.Plan{Target: target, Command: at, Listener: opt.listener, CloseFDs: opt.closeFDs})
}

// exit ends the process before it was seized.
func exit(o *launch.Original, err error) {
	fmt.Fprintln(o.Stderr(), "become:", err)
	o.Exit(launch.StatusFailed)
}

func kill() {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

// traceCalls is a filter that traces execve, and openat to have some more stops.
func traceCalls() []unix.SockFilter {
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_EXECVE, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_OPENAT, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_TRACE},
	}
}

func run(o *launch.Original, opt options, plan launch.Plan) {
	runtime.LockOSThread()
	if opt.filter {
		plan.Filter = traceCalls()
	}
	if err := o.Wait(); err != nil {
		exit(o, err)
	}
	if err := o.Load(plan); err != nil {
		exit(o, err)
	}
	flags := uintptr(unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_TRACECLONE |
		unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL)
	if opt.die == "seize" {
		flags = 1 << 40 // refused
	}
	if err := ptrace(unix.PTRACE_SEIZE, o.PID(), 0, flags); err != nil {
		exit(o, fmt.Errorf("seize: %w", err))
	}
	if opt.die == "seized" {
		kill()
	}
	l := loop{o: o, opt: opt, root: o.PID()}
	if !opt.filter {
		// Stops at every call need one stop first.
		l.step = unix.PTRACE_SYSCALL
		if err := ptrace(unix.PTRACE_INTERRUPT, l.root, 0, 0); err != nil {
			fail(err)
		}
	} else {
		l.step = unix.PTRACE_CONT
	}
	if opt.die == "slow" {
		time.Sleep(300 * time.Millisecond)
	}
	o.Run()
	l.trace()
}

type loop struct {
	o      *launch.Original
	opt    options
	root   int
	step   int  // how a thread goes on
	born   bool // the process is the command
	inExec bool
}

func (l *loop) trace() {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return // no tracee is left
		case ws.Exited() || ws.Signaled():
			if tid == l.root && !l.born {
				if err := l.o.Outcome().Filter; err != nil {
					fmt.Fprintln(os.Stderr, "become:", err)
				}
			}
			continue
		}
		request, sig := l.stop(tid, int(ws))
		_ = ptrace(request, tid, 0, uintptr(sig)) // it may have died
	}
}

// stop returns the request that continues the thread, and the signal with it.
func (l *loop) stop(tid, status int) (request, sig int) {
	sig = status >> 8 & 255
	event := status >> 16
	switch {
	case event == unix.PTRACE_EVENT_SECCOMP:
		if l.atExec(tid) {
			return unix.PTRACE_SYSCALL, 0
		}
	case event == unix.PTRACE_EVENT_EXEC && !l.born:
		l.executed()
	case event == unix.PTRACE_EVENT_STOP:
		if sig != int(unix.SIGTRAP) {
			return unix.PTRACE_LISTEN, 0
		}
	case event != 0 || sig == int(unix.SIGTRAP):
	case sig == int(unix.SIGTRAP)|0x80:
		l.call(tid)
	default:
		return l.step, sig
	}
	return l.step, 0
}

// atExec tells whether the process is in the execve of its script.
func (l *loop) atExec(tid int) bool {
	if l.born || tid != l.root {
		return false
	}
	in, err := getCall(tid)
	return err == nil && in.Words[0] == unix.SYS_EXECVE
}

// call handles the entry and the exit of a system call.
func (l *loop) call(tid int) {
	if l.born || tid != l.root {
		return
	}
	in, err := getCall(tid)
	if err != nil {
		return
	}
	if in.Op != infoExit {
		l.inExec = in.Words[0] == unix.SYS_EXECVE
		return
	}
	if result := int64(in.Words[0]); result < 0 && (l.inExec || l.opt.filter) {
		if err := l.o.Refused(unix.Errno(-result)); err != nil {
			fmt.Fprintln(os.Stderr, "become:", err)
		}
	}
}

func (l *loop) executed() {
	l.born = true
	var keep []int
	if l.opt.stderr {
		keep = append(keep, 2)
	}
	fd, err := l.o.Listener()
	if l.opt.report != nil {
		out := l.o.Outcome()
		fmt.Fprintf(l.opt.report, "nnp=%v filter=%v listener=%v err=%v\n", out.NoNewPrivs, out.Filter, fd >= 0, err)
	}
	if err := l.o.ReleaseInherited(keep...); err != nil {
		fmt.Fprintln(os.Stderr, "become:", err)
	}
	if l.opt.report != nil {
		l.list()
	}
}

// list reports what the tracer holds.
func (l *loop) list() {
	dir, _ := os.ReadDir("/proc/self/fd")
	for _, e := range dir {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil {
			fmt.Fprintf(l.opt.report, "fd %s %s\n", e.Name(), to)
		}
	}
	wd, _ := os.Getwd()
	sid, _ := unix.Getsid(0)
	cmdline, _ := os.ReadFile("/proc/self/cmdline")
	name, _ := os.ReadFile("/proc/self/comm")
	fmt.Fprintf(l.opt.report, "cwd %s\ncmdline %q\ncomm %sargs %q\nsid %d\npid %d\n", wd, strings.TrimRight(string(cmdline), "\x00"), name, os.Args, sid, os.Getpid())
	l.opt.report.Close()
}
