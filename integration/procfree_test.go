package integration

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoProcOfCalls has a second pdig look at the tracer while it is at work. P21:
// it makes events of calls without a look at the process in /proc.
func TestNoProcOfCalls(t *testing.T) {
	root(t)
	t.Parallel()
	w := readWay(t)
	g := startTarget(t, w.command(fixture(t, "attach"), "load", "4")...)
	w.reader.manyMore(t) // what is read once is read by now
	tids := threadIDs(g.pid())
	over := readWay(t)
	p := start(t, exec.Command(pdigPath, "--ring", over.prefix, "-e", "open,openat,readlinkat,pread64", "-p", statusField(g.pid(), "TracerPid")))
	eventually(t, "the tracer is traced", func() bool { return tracerOf(tracerOf(g.pid())) == p.pid() })
	over.reader.manyMore(t)
	detach(t, p, unix.SIGINT)
	g.finish(t)
	w.reader.done(t)
	records := over.reader.done(t)
	reads := 0
	for i := range records {
		switch r := &records[i]; {
		case r.call == "pread":
			reads++
		case slices.ContainsFunc(tids, func(tid int) bool { return strings.Contains(string(r.Bytes()), fmt.Sprintf("/proc/%d/", tid)) }):
			t.Errorf("%s: %q", r, r.Bytes())
		}
	}
	if reads == 0 {
		t.Error("it has read no memory")
	}
}
