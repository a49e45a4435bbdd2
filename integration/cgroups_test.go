package integration

import (
	"strconv"
	"testing"

	"github.com/pdig/pdig/event"
)

// TestCgroupsFromThreads: a program that is executed by another thread than the leader
// is in the cgroups of its process, whose leader is dying, and so is one whose leader
// has ended. (In the hierarchies of version 1 the dead are in none.)
func TestCgroupsFromThreads(t *testing.T) {
	t.Parallel()
	const rounds = 100
	_, records := traceInto(t, "--", fixture(t, "execthreads"), strconv.Itoa(rounds))
	var want string
	execs := 0
	eachExec(t, records, func(exe string, v *event.View) {
		got := paramValue(v, "cgroups")
		if execs++; execs == 1 {
			want = got // of the leader itself
		} else if got != want {
			t.Errorf("exec %d has %s, want %s", execs, got, want)
		}
	})
	if execs != 1+rounds+1 {
		t.Errorf("%d execs, want %d", execs, 1+rounds+1)
	}
}
