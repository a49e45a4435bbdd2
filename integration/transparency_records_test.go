package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// record is a record of the ring and what tests look at most.
type record struct {
	event.View
	call   string // the system call; "procexit" is none
	exit   bool   // the second half
	ret    int64  // its result
	hasRet bool
}

func (r *record) tid() int { return int(r.TID()) }

// number is the parameter of that name.
func (r *record) number(name string) int64 {
	for i, p := range r.Info().Params {
		if p.Name == name {
			n, _ := r.Int(i)
			return n
		}
	}
	return -1
}

func (r *record) String() string {
	half := ">"
	if r.exit {
		half = "<"
	}
	return fmt.Sprintf("%d %s %s %d", r.tid(), half, r.call, r.ret)
}

// birth reports whether the record is the half of a clone that the child sees.
func (r *record) birth() bool {
	return r.exit && r.ret == 0 && r.hasRet && cloning(r.call)
}

func cloning(call string) bool {
	return slices.Contains([]string{"clone", "clone3", "fork", "vfork"}, call)
}

func executing(call string) bool { return call == "execve" || call == "execveat" }

// arch is the numbering of the calls of this machine.
var arch = map[string]syscalls.Arch{"amd64": syscalls.AMD64, "arm64": syscalls.ARM64}[runtime.GOARCH]

func makeRecord(raw []byte) (record, error) {
	var r record
	if err := r.Parse(bytes.Clone(raw)); err != nil {
		return r, err
	}
	info := r.Info()
	r.call, r.exit = info.Name, !syscalls.IsEnter(r.Type())
	if r.Type() <= syscalls.GenericE+1 {
		n, _ := r.Uint(1)
		r.call = fmt.Sprint("call ", n)
		if c := syscalls.Lookup(arch, int(n)); c != nil {
			r.call = c.Name
		}
	} else if r.exit && len(info.Params) > 0 {
		switch info.Params[0].Type {
		case syscalls.Errno, syscalls.FD, syscalls.PID:
			r.ret, r.hasRet = r.Int(0)
		}
	}
	return r, nil
}

// reader takes records out of a ring from before the first command on.
type reader struct {
	consumer *shm.Consumer
	records  []record
	forgets  atomic.Bool  // keeps none: they are too many
	seen     atomic.Int64 // how many there are
	cut      atomic.Int64 // sleeps that a signal has ended
	living   atomic.Int64 // threads that were born and have not ended
	stop     atomic.Bool
	err      error
	ended    chan struct{}
}

func startReader(t *testing.T, prefix string) *reader {
	t.Helper()
	c, err := shm.NewConsumer(shm.ConsumerConfig{Config: shm.Config{Prefix: prefix}})
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{consumer: c, ended: make(chan struct{})}
	go r.read()
	t.Cleanup(func() { r.stop.Store(true); <-r.ended })
	return r
}

func (r *reader) read() {
	defer close(r.ended)
	living := map[int]bool{}
	for {
		last := r.stop.Load()
		raw, err := r.consumer.Next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if last {
				stats := r.consumer.Stats()
				if n := stats.LostTotal(); n != 0 {
					r.err = fmt.Errorf("%d records lost: %v", n, stats.Lost)
				}
				_ = r.consumer.Close()
				return
			}
		case err != nil:
			r.err = err
			return
		default:
			rec, err := makeRecord(raw)
			if err != nil {
				r.err = fmt.Errorf("%w: %x", err, raw)
				return
			}
			if !r.forgets.Load() {
				r.records = append(r.records, rec)
			}
			if rec.call == "nanosleep" && rec.ret == -int64(unix.EINTR) {
				r.cut.Add(1)
			}
			switch {
			case rec.birth(), rec.exit && rec.ret == 0 && executing(rec.call):
				living[rec.tid()] = true
			case rec.call == "procexit":
				delete(living, rec.tid())
			}
			r.living.Store(int64(len(living)))
			r.seen.Add(1)
		}
	}
}

// done takes what is in the ring now and ends the reader.
func (r *reader) done(t *testing.T) []record {
	t.Helper()
	r.stop.Store(true)
	<-r.ended
	if r.err != nil {
		t.Error(r.err)
	}
	return r.records
}

// ringHead is the place in the ring where the next record will be.
func ringHead(t *testing.T, prefix string) uint32 {
	t.Helper()
	b, err := os.ReadFile(prefix + "_descs")
	if err != nil || len(b) < 4 {
		t.Fatalf("descriptors of the ring: %v", err)
	}
	return binary.NativeEndian.Uint32(b)
}

// life is what the records say of a thread.
type life struct {
	pending []*record // calls without a second half, the innermost last
	ended   bool
	status  int64
}

// checkRecords holds the records of commands that have ended, with everybody
// that they left behind, to what is always true, and returns how each thread
// has ended: the last one that had the tid.
func checkRecords(t *testing.T, records []record) map[int]*life {
	t.Helper()
	if len(records) == 0 {
		t.Error("there are no records")
		return nil
	}
	if r := &records[0]; !r.birth() || r.Type() != syscalls.CloneX {
		t.Errorf("the first record is %s", r)
	}
	lives := map[int]*life{}
	executed := 0 // threads that have given their tid up for that of their process
	bad := 0
	for i := range records {
		r := &records[i]
		if problem := checkRecord(lives, r, &executed); problem != "" {
			if bad++; bad < 10 {
				t.Errorf("record %d of %d: %s: %s%s", i, len(records), r, problem, before(records[:i], r.tid()))
			}
		}
	}
	for tid, l := range lives {
		if !l.ended {
			t.Errorf("thread %d has no end", tid)
		}
	}
	return lives
}

// before lists the last records of a thread.
func before(records []record, tid int) (text string) {
	n := 0
	for i := len(records) - 1; i >= 0 && n < 8; i-- {
		if r := &records[i]; r.tid() == tid {
			n++
			text += fmt.Sprintf("\n\t%d: %s", i, r)
		}
	}
	return text
}

func checkRecord(lives map[int]*life, r *record, executed *int) (problem string) {
	l := lives[r.tid()]
	if r.birth() {
		if l != nil && !l.ended {
			problem = "born twice"
		}
		lives[r.tid()] = &life{}
		return problem
	}
	if l != nil && l.ended && r.exit && executing(r.call) && r.ret == 0 {
		l.ended = false // a leader that had ended was replaced by another thread
	}
	if l == nil || l.ended {
		return "of a thread that does not live"
	}
	last := len(l.pending) - 1
	switch {
	case r.call == "procexit":
		l.ended, l.status = true, r.number("status")
		if last >= 0 && executing(l.pending[last].call) {
			*executed++
		}
	case last >= 0 && (l.pending[last].call == "exit" || l.pending[last].call == "exit_group") && !executing(r.call):
		return "behind an exit"
	case !r.exit:
		l.pending = append(l.pending, r)
	case executing(r.call) && r.ret == 0:
		if last < 0 || !executing(l.pending[last].call) {
			// Another thread of the process has made the call.
			if *executed == 0 {
				return "nobody has made this call"
			}
			*executed--
		}
		l.pending = nil
	case syscalls.Events[r.Type()-1].Flags&syscalls.Unused != 0:
		// The newest calls have a second half only.
	case last < 0:
		return "no first half"
	case l.pending[last].call != r.call || l.pending[last].Type()+1 != r.Type():
		problem = "the first half is of " + l.pending[last].call
		fallthrough
	default:
		l.pending = l.pending[:last]
	}
	switch {
	case problem != "" || !r.hasRet:
	case r.ret == -512 || r.ret == -513 || r.ret == -514 || r.ret == -516:
		return "a result that only the kernel knows"
	}
	return problem
}

// count is the number of records that f is true of.
func count(records []record, f func(*record) bool) (n int) {
	for i := range records {
		if f(&records[i]) {
			n++
		}
	}
	return n
}

// results are those of the calls of a name, in order.
func results(records []record, call string) (all []int64) {
	for i := range records {
		if r := &records[i]; r.exit && r.call == call {
			all = append(all, r.ret)
		}
	}
	return all
}

// alive waits until n threads live.
func (r *reader) alive(t *testing.T, n int64) {
	t.Helper()
	eventually(t, "that many live", func() bool { return r.living.Load() == n })
}

// everybody waits until every thread that was born has ended.
func (r *reader) everybody(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience / 4); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if r.seen.Load() > 0 && r.living.Load() == 0 {
			return
		}
	}
	t.Errorf("%d threads have no end", r.living.Load())
}

// settled waits until the ring has had nothing new for a while.
func (r *reader) settled() {
	for last := int64(-1); last != r.seen.Load(); time.Sleep(60 * time.Millisecond) {
		last = r.seen.Load()
	}
}
