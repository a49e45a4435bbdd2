package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// standing are the threads of the descendants of a command that stand in a stop, and
// all of them, without the tracer.
func standing(command, tracer int) (tids, all []int) {
	pids := []int{command}
	for i := 0; i < len(pids); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/children", pids[i]))
		for _, list := range lists {
			text, _ := os.ReadFile(list)
			for _, word := range strings.Fields(string(text)) {
				if pid := leading(word); pid != tracer {
					pids = append(pids, pid)
				}
			}
		}
	}
	for _, pid := range pids[1:] {
		for _, tid := range threadIDs(pid) {
			all = append(all, tid)
			if strings.HasPrefix(statusField(tid, "State"), "t") {
				tids = append(tids, tid)
			}
		}
	}
	return tids, all
}

// TestDeathsInStops kills processes while they stand in a stop of every kind,
// which the tracer is kept from handling for that time, and not only at any
// moment. P5: whatever was to be done about the stop fails then. P6: the stop before
// the death is one of them.
func TestDeathsInStops(t *testing.T) {
	mortal := fixture(t, "mortal")
	const rounds = 6
	for _, what := range []string{"call", "fork", "vfork", "untraced", "spawn", "thread", "exec", "execthread", "signal", "stop", "exit", "fault"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := readWay(t)
			argv := w.command(mortal, what)
			g := startTargetCmd(t, exec.Command(argv[0], argv[1:]...))
			tracer := tracerOf(g.pid())
			if tracer == 0 {
				t.Fatal("the command has no tracer")
			}
			signalTracer := func(sig unix.Signal) {
				if err := unix.Kill(tracer, sig); err != nil {
					t.Fatal(err)
				}
			}
			grandchildren := 0
			for n := 0; n < rounds && !t.Failed(); {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // anywhere
				signalTracer(unix.SIGSTOP)
				// Nobody may: who executes a program waits for the tracer to collect
				// others, and the command may not have made its child yet.
				var stopped, all []int
				for looks := 0; len(stopped) == 0 && looks < 20; looks++ {
					stopped, all = standing(g.pid(), tracer)
				}
				if len(stopped) == 0 {
					stopped = all
				}
				if len(stopped) == 0 {
					signalTracer(unix.SIGCONT)
					continue
				}
				victim := stopped[rand.IntN(len(stopped))]
				pid, parent := leading(statusField(victim, "Tgid")), leading(statusField(victim, "PPid"))
				if pid == 0 || parent == g.pid() && grandchildren < n && len(stopped) > 1 {
					signalTracer(unix.SIGCONT)
					continue
				}
				_ = unix.Kill(pid, unix.SIGKILL)
				signalTracer(unix.SIGCONT)
				if parent != g.pid() {
					grandchildren++
					eventually(t, "the end of a grandchild", func() bool { return gone(pid) })
					continue
				}
				if got := g.line(t); got != "0x9\n" {
					t.Errorf("got %q", got)
				}
				g.timer.Reset(patience)
				if n++; n < rounds {
					if _, err := g.stdin.Write([]byte{1}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := g.finish(t); got != "status 0x0\n" {
				t.Errorf("got %s", got)
			}
			t.Logf("and %d grandchildren", grandchildren)
			w.reader.everybody(t)
			checkRecords(t, w.reader.done(t))
		})
	}
}
