package tracer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// TestRecorderLeader: the end of a leader is told, once, when its place was not taken by
// a thread that executes a program, and then nobody is left.
func TestRecorderLeader(t *testing.T) {
	const leader, other = 1<<22 + 1, 1<<22 + 2 // numbers that no process has
	at := func(tid int) Moment { return Moment{Time: 1, TID: tid, PID: leader} }
	exec := func(result int64) *Invocation {
		return &Invocation{Moment: at(other), Number: unix.SYS_EXECVE, Result: result}
	}
	for name, row := range map[string]struct {
		then func(r *Recorder)
		want []int64
	}{
		"the exec fails":       {func(r *Recorder) { r.Exit(exec(-int64(unix.ENOENT))) }, []int64{leader, other}},
		"the thread is killed": {func(*Recorder) {}, []int64{other, leader}},
	} {
		var ended []int64
		r := NewRecorder(RecorderConfig{
			Ceiling: syscalls.CeilingNewest,
			Out: func(rec []byte) {
				var v event.View
				if err := v.Parse(rec); err != nil {
					t.Fatal(err)
				}
				if v.Type() == syscalls.ProcExitE {
					ended = append(ended, v.TID())
				}
			},
			Lost: func(cause event.Cause) { t.Errorf("%s: a record is lost: %v", name, cause) },
		})
		m := at(leader)
		r.Fork(&m, other, leader, &TaskFacts{})
		r.Enter(exec(0))
		r.End(&m, 0, 0)
		row.then(r)
		m = at(other)
		r.End(&m, 0, 0)
		if diff := cmp.Diff(row.want, ended); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		if n := len(r.t.table.threads); n != 0 {
			t.Errorf("%s: %d threads are left", name, n)
		}
	}
}
