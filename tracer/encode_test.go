package tracer

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// sink keeps the records.
type sink struct {
	ceiling int
	records [][]byte
	lost    int
	truth   bool
}

func (s *sink) Active() bool       { return true }
func (s *sink) Ceiling() int       { return s.ceiling }
func (s *sink) Snaplen() int       { return 80 }
func (s *sink) ReaderPID() int     { return 0 }
func (s *sink) Truth() bool        { return s.truth }
func (s *sink) GiveUp(func() bool) {}
func (s *sink) Reader() uint32     { return 0 }
func (s *sink) Count(event.Cause)  { s.lost++ }

func (s *sink) Lost() (n [event.NumCauses]uint64) { return n }

func (s *sink) Write(rec []byte, _ shm.Class) bool {
	s.records = append(s.records, append([]byte(nil), rec...))
	return true
}

// self is a tracer with this process as its tracee.
func self(t testing.TB, ceiling int) (*Tracer, *thread, *sink) {
	t.Helper()
	out := &sink{ceiling: ceiling}
	all, err := Select("all")
	if err != nil {
		t.Fatal(err)
	}
	tr := newTracer(Config{Calls: all, Sink: out})
	p := &process{pid: os.Getpid(), vpid: os.Getpid(), mem: memory{pid: os.Getpid()}}
	p.image = p.readImage(&tr.proc, nil)
	th := tr.table.add(p.pid, p)
	t.Cleanup(p.mem.close)
	return tr, th, out
}

func TestEveryFunctionOfTheTableIsThere(t *testing.T) {
	for f := syscalls.Func(1); f < syscalls.NumFuncs; f++ {
		if funcs[f] == nil {
			t.Errorf("no function @%v", f)
		}
	}
}

// Every call of every architecture gives, at every ceiling, two records of
// types below the ceiling with as many parameters as the table says, each as
// wide as its type.
func TestArity(t *testing.T) {
	for _, ceiling := range []int{syscalls.CeilingA, syscalls.CeilingB, syscalls.CeilingC, syscalls.CeilingNewest} {
		tr, th, out := self(t, ceiling)
		for arch := range syscalls.NumArch {
			for n := range maxNumber {
				s := tr.specs.lookup(arch, n)
				c := &th.call
				c.begin()
				c.spec, c.nr, c.arch, c.ret = s, uint64(n), abis[0].audit, -2
				tr.capture(th)
				tr.emit(th, th.tid, s.enter, s.class)
				tr.emit(th, th.tid, s.enter+1, s.class)
			}
		}
		if out.lost != 0 {
			t.Errorf("ceiling %d: %d records could not be made", ceiling, out.lost)
		}
		for _, rec := range out.records {
			checkRecord(t, rec, ceiling)
		}
	}
}

func checkRecord(t *testing.T, rec []byte, ceiling int) {
	t.Helper()
	var v event.View
	if err := v.Parse(rec); err != nil {
		t.Fatalf("record: %v", err)
	}
	if int(v.Type()) >= ceiling {
		t.Errorf("type %d for a reader that knows those below %d", v.Type(), ceiling)
	}
	info := v.Info()
	params := info.Params
	if ceiling < syscalls.CeilingNewest {
		params = params[:syscalls.NewestParams(v.Type())] // readers of captures refuse more
	}
	if v.NumParams() != len(params) {
		t.Errorf("%s: %d parameters, want %d", info.Enum, v.NumParams(), len(params))
	}
	for i := range params {
		p, n := &info.Params[i], len(v.Param(i))
		if want := p.Type.Size(); want != 0 && n != want {
			t.Errorf("%s %s: %d bytes, want %d", info.Enum, p.Name, n, want)
		}
		switch p.Type {
		case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
			if ceiling < syscalls.CeilingNewest && n == 0 {
				t.Errorf("%s %s: an empty string, which an old reader takes for what follows", info.Enum, p.Name)
			}
		}
	}
}

// A record that cannot be made is replaced by a generic one and counted.
func TestEncodeFailureIsCounted(t *testing.T) {
	tr, th, out := self(t, syscalls.CeilingNewest)
	th.proc.image = &image{env: make([]byte, event.MaxSize)}
	th.call.spec = tr.specs.lookup(syscalls.AMD64, int(syscalls.LookupName("execve").Nr[syscalls.AMD64]))
	tr.emit(th, th.tid, syscalls.ExecveX, shm.Vital)
	if out.lost != 1 || len(out.records) != 1 {
		t.Fatalf("lost %d, records %d, want 1 and 1", out.lost, len(out.records))
	}
	var v event.View
	if err := errors.Join(v.Parse(out.records[0])); err != nil || v.Type() != syscalls.GenericX {
		t.Errorf("type %d, %v, want a generic event", v.Type(), err)
	}
}

// TestNothingAllocatedPerCall makes both records of every call that has an
// event of its own, with all arguments pointing to readable memory.
func TestNothingAllocatedPerCall(t *testing.T) {
	tr, th, out := self(t, syscalls.CeilingNewest)
	tr.sink = &null{}
	memory := make([]byte, 1<<16)
	copy(memory, "/etc/passwd")
	for i := range syscalls.Calls {
		n := syscalls.Calls[i].Nr[abis[0].arch]
		if n < 0 {
			continue
		}
		s := tr.specs.lookup(abis[0].arch, int(n))
		for _, ret := range []int64{0, 11, -int64(unix.ENOENT)} {
			call := func() {
				c := &th.call
				c.begin()
				c.spec, c.arch, c.ret = s, abis[0].audit, ret
				for a := range c.args {
					c.args[a] = address(memory)
				}
				tr.capture(th)
				tr.emit(th, th.tid, s.enter, s.class)
				tr.emit(th, th.tid, s.enter+1, s.class)
			}
			call()
			if n := testing.AllocsPerRun(20, call); n != 0 {
				t.Errorf("%s with result %d: %v allocations, want 0", syscalls.Calls[i].Name, ret, n)
			}
		}
	}
	if out.lost != 0 {
		t.Errorf("%d records lost", out.lost)
	}
}

// null takes records and forgets them.
type null struct{ sink }

func (*null) Write([]byte, shm.Class) bool { return true }
