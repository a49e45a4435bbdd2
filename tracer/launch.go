package tracer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/launch"
)

// optionsAll are the ptrace options of all tracees. Those with a filter have further
// ones: a filter without a tracer answers ENOSYS, so nobody survives the
// tracer. Descendants inherit them.
const optionsAll = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC

// ErrSeize is why a command cannot be traced.
var ErrSeize = errors.New("ptrace is refused")

// Command is what is to be started.
type Command struct {
	Target   launch.Target
	Index    int   // of the command's name among the arguments of the process
	CloseFDs []int // descriptors that are not for it
	// Refused is told why the command was not started, when it is seen after
	// Launch has let the process go.
	Refused func(error)
}

// Launch makes the process that waits, o, the command, and returns when
// neither it nor a descendant is left. After an error nothing has happened to
// the process: [launch.Original.Exit] is still possible.
func Launch(o *launch.Original, cmd Command, cfg Config) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The loop occupies one P while it waits; other goroutines need another.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	haveThreads()
	sys.Hide()
	// Collections happen where the loop wants them: see heap.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	cookie := newCookie()
	plan := launch.Plan{Target: cmd.Target, Command: cmd.Index, CloseFDs: cmd.CloseFDs}
	if !cfg.Every {
		filter, err := cfg.Calls.Filter(cookie)
		if err != nil {
			return err
		}
		plan.Filter, plan.Listener = filter, true
	}
	if err := o.Wait(); err != nil {
		return err
	}
	if err := o.Load(plan); err != nil {
		return err
	}
	t := newTracer(cfg)
	t.cookie = cookie
	t.options |= optionsAll | unix.PTRACE_O_TRACEEXIT
	t.every, t.onward = cfg.Every, unix.PTRACE_CONT
	if t.binds = !cfg.Every; t.binds {
		t.options |= unix.PTRACE_O_TRACESECCOMP
	}
	if cfg.Every || cfg.Adopt || cfg.Visitors {
		t.every, t.onward = true, unix.PTRACE_SYSCALL
	}
	t.root, t.rootPID, t.notStarted = o, o.PID(), cmd.Refused
	// From here to the seize the process stands still, so it can be looked at.
	p := &process{pid: t.rootPID, vpid: t.rootPID, mem: memory{pid: t.rootPID, served: &t.served}, root: true, filtered: !cfg.Every}
	var st procStatus
	if st.read(t.rootPID, &t.proc) {
		p.parent = st.ppid
	}
	if _, err := procfs.Root(); err != nil {
		cfg.Log.Warn().Err(err).Msg("what is known of processes will be incomplete")
	}
	p.image = p.readImage(&t.proc, nil)
	p.nsStart = namespaceStart(&t.proc)
	th := t.table.add(t.rootPID, p)
	th.bound = p.filtered
	if cfg.Adopt || cfg.Visitors {
		switch err := errors.Join(wakeable(), t.adopt(t.turnedAway, t.rootPID)); {
		case err != nil && cfg.Adopt:
			return fmt.Errorf("--adopt: %w", err)
		case err != nil:
			t.log.Warn().Err(err).Msg("nobody from outside is traced")
		}
		defer t.adoptNoMore()
	}
	if errno := sys.Ptrace(unix.PTRACE_SEIZE, t.rootPID, 0, t.optionsOf(th)); errno != 0 {
		if unix.Getppid() != t.rootPID {
			return launch.ErrOriginalDied
		}
		if st.tracer != 0 {
			return fmt.Errorf("%w: the process is traced already, by %s", ErrSeize, t.named(st.tracer))
		}
		if ptraceForbidden() {
			return fmt.Errorf("%w: %s", ErrSeize, forbidden)
		}
		return fmt.Errorf("%w: %w", ErrSeize, errno)
	}
	if cfg.Pin && !cfg.Every { // a tracer that is killed would leave its pin behind
		t.pin.start(cfg.Calls)
		defer t.pin.end()
	}
	if cfg.Every {
		t.halt(th, time.Hour)
	}
	o.Run()
	t.loop()
	t.sayHandedOver()
	t.outlast()
	return t.failed
}

// newCookie makes what tells the stops of our filter from those of others.
func newCookie() uint16 { return uint16(rand.Uint32()) }

func newTracer(cfg Config) *Tracer {
	t := &Tracer{
		cfg: cfg, sink: cfg.Sink, log: cfg.Log,
		table:   table{threads: map[int]*thread{}},
		births:  births{parked: map[int]uint32{}, gone: map[int]death{}},
		scratch: make([]byte, 0, 1<<16),
		clock:   func() uint64 { return uint64(time.Now().UnixNano()) },
	}
	if cfg.Kill {
		t.options = unix.PTRACE_O_EXITKILL
	}
	t.heap.init()
	t.sink.GiveUp(t.deathWaits)
	t.served.init()
	t.proc.lists = newListLimits(cfg.ArgsLimit)
	t.asked.args.strings, t.asked.env.strings = make([]byte, 0, 1<<14), make([]byte, 0, 1<<14)
	if cfg.Summary != nil {
		t.sum = &summary{lost: t.sink.Lost}
	}
	t.specs = newSpecs(cfg.Calls, cfg.Sink.Ceiling())
	return t
}

// beforeCommand handles a call that the process makes before it is the
// command. It reports whether the call belongs to the trace: the first that
// does is the exec, and before it stands the birth of the command.
func (t *Tracer) beforeCommand(th *thread, s *spec) bool {
	if s.kind != kindExec {
		return false // handing over the listener
	}
	if !t.announced {
		t.announced = true
		t.born(th, syscalls.CloneX, 0)
	}
	return true
}

// refused handles an exec of the command that has failed.
func (t *Tracer) refused(errno unix.Errno) {
	if err := t.root.Refused(errno); err != nil {
		t.notStarted(err)
	}
}

// started handles the exec of the command: the tracer is on its own now.
func (t *Tracer) started() {
	o := t.root
	t.root = nil
	if e := t.log.Info(); e.Enabled() {
		text := "filter installed, command started"
		if t.cfg.Every {
			text = "command started"
		}
		e.Int("calls", t.cfg.Calls.count()).Int("pid", t.rootPID).Msg(text)
	}
	if o.Outcome().NoNewPrivs {
		t.log.Warn().Msg("no_new_privs had to be set: set-user-id programs keep the user that runs them")
	}
	// The listener stays open and unused for ever: while it is there no filter
	// of the command can answer for its calls.
	_, err := o.Listener()
	t.listening = err == nil
	if err != nil && !t.cfg.Every {
		t.log.Info().Err(err).Msg("no place for a listener was taken")
	}
	var keep []int
	if t.sum != nil {
		keep = []int{stderr} // until the command ends
	}
	if err := o.ReleaseInherited(keep...); err != nil {
		t.log.Warn().Err(err).Msg("inherited descriptors stay open")
	}
	t.adoptFrom()
}

// stderr is where a summary goes.
const stderr = 2

// summarize prints the summary, once, and lets go of the command's stderr.
func (t *Tracer) summarize() {
	if t.sum == nil {
		return
	}
	err := t.sum.write(t.cfg.Summary)
	if t.handedOver > 0 && err == nil {
		_, err = fmt.Fprintf(t.cfg.Summary, "processes handed over to other tracers, and not counted from then on: %d\n", t.handedOver)
	}
	if t.adoption != nil && t.adoption.turned > 0 && err == nil {
		_, err = fmt.Fprintf(t.cfg.Summary, "processes from outside that could not be traced: %d\n", t.adoption.turned)
	}
	if err != nil {
		t.log.Warn().Err(err).Msg("summary not written")
	}
	t.sum = nil
	if t.attached {
		return // stderr is its own
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_ = unix.Dup3(null, stderr, 0)
	unix.Close(null)
}

// conclude tells of the end of the command, once: that of a namespace is told when it
// is drained.
func (t *Tracer) conclude(last bool) {
	if t.cfg.Ended != nil && !t.concluded && last == t.draining {
		t.concluded = true
		t.cfg.Ended(last)
	}
}

// rootEnded handles the death of the command.
func (t *Tracer) rootEnded() {
	t.adoptNoMore()
	t.summarize()
	t.conclude(false)
	if t.root == nil {
		return
	}
	if err := t.root.Outcome().Filter; err != nil {
		t.notStarted(err)
	}
}
