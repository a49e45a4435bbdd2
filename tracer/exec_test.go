package tracer

import (
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// TestReplaceLeader: a thread that has taken the place of the leader is all that lives of
// its process, whether the leader had ended before or not.
func TestReplaceLeader(t *testing.T) {
	const pid, tid = 1<<22 + 1, 1<<22 + 2 // numbers that no process has
	for _, ended := range []bool{false, true} {
		r := NewRecorder(RecorderConfig{Ceiling: syscalls.CeilingNewest, Out: func([]byte) {}, Lost: func(event.Cause) {}})
		r.Fork(&Moment{TID: pid, PID: pid}, tid, pid, &TaskFacts{})
		leader, th := r.t.table.get(pid), r.t.table.get(tid)
		if ended {
			r.t.procExit(leader, 0)
		}
		r.t.replaceLeader(th, pid)
		if p := th.proc; p.live != 1 || p.threads != 1 || r.t.table.get(pid) != th {
			t.Errorf("ended %v: %d threads, of which %d live", ended, p.threads, p.live)
		}
	}
}
