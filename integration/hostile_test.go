package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

var (
	hostileCalls = flag.Int("hostile.calls", 100_000, "system calls that the hostile program makes")
	hostileSeed  = flag.Uint64("hostile.seed", 0, "seed of the hostile program; 0 is another one each time")
	hostileEvery = flag.Duration("hostile.every", 0, "how often the memory of the tracer is logged")
)

// TestHostile traces a program that makes random calls with random arguments.
// Every record has to be one, whatever the arguments were: of a known type,
// with the parameters that the table has, in halves that belong together; and
// nothing may be lost. The state and the printer of the sensor have to cope (E11).
func TestHostile(t *testing.T) {
	program := fixture(t, "randomcalls")
	for _, tt := range []struct {
		name    string
		ceiling int
		args    []string
	}{
		{"newest", syscalls.CeilingNewest, nil},
		{"oldest", syscalls.CeilingA, []string{"--schema", "336"}},
		{"much data", syscalls.CeilingNewest, []string{"--snaplen", "65000"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seed := *hostileSeed
			if seed == 0 {
				seed = uint64(time.Now().UnixNano())
			}
			calls := *hostileCalls / 3
			if testing.Short() {
				calls /= 10
			}
			runHostile(t, tt.ceiling, tt.args, program, fmt.Sprint(seed), fmt.Sprint(calls))
		})
	}
}

func runHostile(t *testing.T, ceiling int, args []string, command ...string) {
	prefix := ring(t)
	consumer := consumeAs(t, shm.ConsumerConfig{Config: shm.Config{Prefix: prefix}, Truth: true})
	argv := append([]string{"-e", "all", "--ring", prefix, "--on-full", "block"}, args...)
	cmd := exec.Command(pdigPath, append(append(argv, "--"), command...)...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	j := newJudge(t, ceiling)
	var rss memory
	looked, last := start, start
	for over := false; ; {
		rec, err := consumer.Next()
		switch {
		case err == nil:
			j.record(rec)
			if j.n%1024 != 0 {
				continue
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal(err)
		case over:
			if stats := consumer.Stats(); stats.LostTotal() != 0 {
				t.Errorf("records are lost: %+v", stats)
			}
			j.finish()
			t.Logf("%s%d records of %d types in %v; tracer: %v", out.String(), j.n, len(j.types), time.Since(start).Round(time.Millisecond), &rss)
			rss.check(t)
			return
		}
		now := time.Now()
		if err == nil {
			last = now
		} else if now.Sub(last) > 30*time.Second {
			t.Fatalf("no record for 30 s after %d", j.n)
		}
		if now.Sub(looked) > 100*time.Millisecond {
			looked = now
			rss.look(t, cmd.Process.Pid, now.Sub(start))
		}
		select {
		case err := <-ended:
			if cmd.ProcessState.ExitCode() == 77 {
				t.Skipf("no namespaces to confine the program in: %s", words.String())
			}
			if err != nil || words.Len() > 0 {
				t.Fatalf("the command under pdig, %q: %v\n%s", command, err, words.String())
			}
			over = true
		default:
		}
	}
}

// memory is the resident set of a tracer, in kB.
type memory struct {
	now, least, most int
	logged           time.Duration
}

// look reads it from the tracer of the process with that pid.
func (m *memory) look(t *testing.T, pid int, at time.Duration) {
	tracer := statusNumber(pid, "TracerPid")
	rss := statusNumber(tracer, "VmRSS")
	if rss <= 0 {
		return // one of them has ended
	}
	m.now, m.most = rss, max(m.most, rss)
	if m.least == 0 || rss < m.least {
		m.least = rss
	}
	if *hostileEvery > 0 && at-m.logged >= *hostileEvery {
		m.logged = at
		t.Logf("%v: tracer has %d kB, descriptors: %d", at.Round(time.Second), rss, openDescriptors(tracer))
	}
}

func (m *memory) String() string {
	return fmt.Sprintf("%d to %d kB, at last %d", m.least, m.most, m.now)
}

// check bounds what a tracer of a few dozen threads may take.
func (m *memory) check(t *testing.T) {
	const most = 64 << 10
	if m.most == 0 || m.most > most {
		t.Errorf("the tracer has up to %d kB, want some and at most %d", m.most, most)
	}
}

func openDescriptors(pid int) int {
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// statusNumber is a number of /proc/PID/status, -1 if there is none.
func statusNumber(pid int, key string) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err == nil {
				return n
			}
		}
	}
	return -1
}

// judge looks at all records of a trace of which nothing is lost.
type judge struct {
	t       *testing.T
	ceiling int
	n       int
	wrong   int
	types   map[uint16]int
	threads map[int64]*pendingCalls
	orphans int // execs of threads that were not the first of their process

	view    event.View
	state   *state.Table
	printer event.Printer
	line    []byte
}

// pendingCalls are the calls that a thread is in: one, and those that signals have
// interrupted.
type pendingCalls struct {
	pending []uint16 // enter codes
	last    uint16   // exit code of the call that ended last
}

func newJudge(t *testing.T, ceiling int) *judge {
	return &judge{
		t: t, ceiling: ceiling, types: map[uint16]int{}, threads: map[int64]*pendingCalls{},
		state: state.New(state.Config{}), printer: event.Printer{Long: true},
	}
}

// errorf reports what is wrong with the record, and gives up after some.
func (j *judge) errorf(format string, args ...any) {
	j.t.Helper()
	text := j.printer.AppendInfo(nil, &j.view, j.state)
	j.t.Errorf("record %d, thread %d, %s %d: %s: %.300q", j.n, j.view.TID(), j.view.Info().Enum, j.view.Type(), fmt.Sprintf(format, args...), text)
	if j.wrong++; j.wrong > 20 {
		j.t.FailNow()
	}
}

func (j *judge) record(rec []byte) {
	j.n++
	if err := j.view.Parse(rec); err != nil {
		j.t.Fatalf("record %d: %v: %x", j.n, err, rec[:min(len(rec), 200)])
	}
	v := &j.view
	j.types[v.Type()]++
	if whole := len(v.Whole()); whole != len(rec) {
		j.errorf("%d bytes of a record of %d with its truth", whole, len(rec))
	}
	if int(v.Type()) >= j.ceiling {
		j.errorf("the reader knows the types below %d", j.ceiling)
	}
	j.params()
	j.half()
	j.state.Apply(v)
	j.line = j.printer.AppendInfo(j.line[:0], v, j.state)
	for _, c := range j.line {
		if c < ' ' && c != '\t' {
			j.errorf("the line holds byte %#x", c)
			break
		}
	}
}

// params compares the parameters with the table.
func (j *judge) params() {
	v := &j.view
	params := v.Info().Params
	if j.ceiling < syscalls.CeilingNewest {
		params = params[:syscalls.NewestParams(v.Type())]
	}
	if v.NumParams() != len(params) {
		j.errorf("%d parameters, want %d", v.NumParams(), len(params))
		return
	}
	for i := range params {
		if p, b := &params[i], v.Param(i); !wellFormed(p, b, j.ceiling) {
			j.errorf("parameter %s has %d bytes: %.40x", p.Name, len(b), b)
		}
	}
}

// wellFormed reports whether a parameter can be what its type says.
func wellFormed(p *syscalls.Param, b []byte, ceiling int) bool {
	switch p.Type {
	case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
		if len(b) == 0 {
			return ceiling == syscalls.CeilingNewest
		}
		return bytes.IndexByte(b, 0) == len(b)-1
	case syscalls.CharBufArray, syscalls.CharBufPairs:
		return len(b) == 0 || b[len(b)-1] == 0
	case syscalls.ByteBuf:
		return true
	case syscalls.SockAddr:
		return len(b) == 1 || !strings.HasPrefix(address(b), "no-")
	case syscalls.SockTuple:
		return len(b) == 1 || !strings.HasPrefix(tuple(b), "no-")
	case syscalls.FDList:
		return len(b) >= 2 && len(b) == 2+10*int(binary.NativeEndian.Uint16(b))
	case syscalls.Dyn:
		if len(b) == 0 || int(b[0]) >= len(p.Dyn) {
			return false
		}
		return wellFormed(&p.Dyn[b[0]], b[1:], ceiling)
	}
	return len(b) == p.Type.Size()
}

// half finds the enter half of an exit half.
func (j *judge) half() {
	v := &j.view
	typ := v.Type()
	th := j.threads[v.TID()]
	if th == nil {
		th = &pendingCalls{}
		j.threads[v.TID()] = th
	}
	if typ == syscalls.ProcExitE {
		for _, enter := range th.pending {
			if enter == syscalls.ExecveE || enter == syscalls.ExecveatX-1 {
				j.orphans++
			}
		}
		delete(j.threads, v.TID())
		return
	}
	if syscalls.IsEnter(typ) {
		if v.Info().Flags&syscalls.Unused != 0 {
			j.errorf("this half is never sent")
		}
		th.pending, th.last = append(th.pending, typ), 0
		return
	}
	switch {
	case syscalls.Events[typ-1].Flags&syscalls.Unused != 0: // there is no other half
	case th.ends(typ):
	case (typ == exitSendmmsg || typ == exitRecvmmsg) && th.last == typ: // one for each message
	case isBirth(v):
		*th = pendingCalls{}
	case (typ == syscalls.ExecveX || typ == syscalls.ExecveatX) && j.orphans > 0:
		j.orphans--
		*th = pendingCalls{}
	default:
		j.errorf("no such call has begun, but %v", th.pending)
	}
	th.last = typ
}

// Exit codes of the calls with a list of messages.
const (
	exitSendmmsg = 51
	exitRecvmmsg = 55
)

// ends reports whether a call of which that is the exit has begun. Those within
// it are over too: a handler has left them.
func (th *pendingCalls) ends(exit uint16) bool {
	for i := len(th.pending) - 1; i >= 0; i-- {
		if th.pending[i]+1 == exit {
			th.pending = th.pending[:i]
			return true
		}
	}
	return false
}

// isBirth reports whether the event is the first of a thread: the half of a clone
// that the child sees.
func isBirth(v *event.View) bool {
	switch v.Type() {
	case syscalls.CloneX, syscalls.ForkX, syscalls.VforkX, syscalls.Clone3X:
		res, ok := v.Int(0)
		return ok && res == 0
	}
	return false
}

// finish looks at what is left.
func (j *judge) finish() {
	if len(j.threads) != 0 {
		j.t.Errorf("%d threads have no end", len(j.threads))
	}
	if len(j.types) < 100 {
		j.t.Errorf("events of %d types only", len(j.types))
	}
}
