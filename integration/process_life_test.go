package integration

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStorms makes processes in every way, as fast as it goes.
func TestStorms(t *testing.T) {
	life := fixture(t, "life")
	for _, how := range []string{"fork", "vfork", "vforkexec", "spawn", "clone", "clone3", "grandchild", "untraced", "untraced3"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			compare(t, func(t *testing.T, w *way) string { return w.run(t, life, "storm", how, "100").String() })
		})
	}
}

// TestUntraced: a child that asks not to be traced is traced (P11).
func TestUntraced(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	for _, how := range []string{"untraced", "untraced3"} {
		w := readWay(t)
		w.run(t, life, "storm", how, "5")
		checkRecords(t, w.reader.done(t))
		births := count(w.reader.records, (*record).birth)
		pids := count(w.reader.records, func(r *record) bool { return r.call == "getpid" && !r.exit })
		if births != 6 || pids != 5 {
			t.Errorf("%s: got %d births and %d calls of children, want 6 and 5", how, births, pids)
		}
	}
}

// TestForkBomb has 500 children at once.
func TestForkBomb(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	compare(t, func(t *testing.T, w *way) string {
		out := w.run(t, life, "bomb", "500").String()
		if w.reader != nil {
			w.reader.done(t)
			if births := count(w.reader.records, (*record).birth); births != 501 {
				t.Errorf("%d births, want 501", births)
			}
		}
		return out
	})
}

func TestCloneParent(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	compare(t, func(t *testing.T, w *way) string { return w.run(t, life, "cloneparent").String() })
}

// TestThreads makes and joins 200 threads at a time, and 1000 (P17).
func TestThreads(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	compare(t, func(t *testing.T, w *way) string {
		out := w.run(t, threads, "joined", "200", "5").String() + w.run(t, threads, "joined", "1000", "1").String()
		if w.reader != nil {
			w.reader.done(t)
			if births := count(w.reader.records, (*record).birth); births != 2002 {
				t.Errorf("%d births, want 2002", births)
			}
		}
		return out
	})
}

// TestExecFromThread executes 200 times from a thread that is not the leader,
// which is alive every other time (P1). K5: who executes waits for the tracer to collect
// the other threads.
func TestExecFromThread(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	compare(t, func(t *testing.T, w *way) string {
		argv := w.command(threads, "exec", "200")
		p := start(t, exec.Command(argv[0], argv[1:]...))
		out := p.wait(t).String()
		if w.reader != nil {
			w.reader.done(t)
			execs := 0
			for i := range w.reader.records {
				if r := &w.reader.records[i]; r.exit && executing(r.call) {
					execs++
					if r.ret != 0 || r.tid() != p.pid() || r.number("pid") != int64(p.pid()) || r.number("tid") != int64(p.pid()) {
						t.Errorf("%s: pid %d tid %d, want thread %d", r, r.number("pid"), r.number("tid"), p.pid())
					}
				}
			}
			if execs != 201 {
				t.Errorf("%d execs, want 201", execs)
			}
		}
		return out
	})
}

// TestExitRaces has threads end their process with different codes at once:
// its parent and its procexit events tell of the same one (P6).
func TestExitRaces(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	eachTraced(t, func(t *testing.T, w *way) {
		r := w.run(t, threads, "races", "100")
		if r.status != 0 || strings.Count(r.stdout, "\n") != 100 {
			t.Fatalf("got %s", r)
		}
		if w.reader == nil {
			return
		}
		lives := checkRecords(t, w.reader.done(t))
		for line := range strings.Lines(r.stdout) {
			var pid, status int
			if _, err := fmt.Sscanf(line, "%d 0x%x\n", &pid, &status); err != nil {
				t.Fatal(err)
			}
			if l := lives[pid]; l == nil || l.status != int64(status) {
				t.Errorf("process %d ended with %#x; the event says %+v", pid, status, l)
			}
		}
	})
}

// TestLeaderExits: a leader that ends before its threads.
func TestLeaderExits(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	for _, code := range []string{"0", "7"} {
		t.Run(code, func(t *testing.T) {
			compare(t, func(t *testing.T, w *way) string { return w.run(t, threads, "leader", code).String() })
		})
	}
}

// TestDump: a process with threads that dies of a fault.
func TestDump(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	for _, limit := range []string{"0", "unlimited"} {
		t.Run(limit, func(t *testing.T) {
			compare(t, func(t *testing.T, w *way) string {
				cmd := exec.Command("sh", append([]string{"-c", "ulimit -c " + limit + `; exec "$0" "$@"`}, w.command(threads, "dumped")...)...)
				cmd.Dir = t.TempDir()
				r := start(t, cmd).wait(t)
				return fmt.Sprintf("core %v %s", r.status.CoreDump(), r)
			})
		})
	}
}

// TestKillStorm ends processes that make threads, processes and calls, at any
// moment (P5).
func TestKillStorm(t *testing.T) {
	t.Parallel()
	threads := fixture(t, "threads")
	t.Run("children", func(t *testing.T) {
		compare(t, func(t *testing.T, w *way) string { return w.run(t, threads, "kills", "200").String() })
	})
	t.Run("command", func(t *testing.T) {
		eachTraced(t, func(t *testing.T, w *way) {
			for i := range 25 {
				argv := w.command(threads, "hectic")
				p := start(t, exec.Command(argv[0], argv[1:]...))
				within := 20 << (i / 4) // a busy machine takes long to begin
				time.Sleep(time.Duration(rand.IntN(within)) * time.Millisecond)
				if err := unix.Kill(p.pid(), unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				if r := p.wait(t); r.status != syscall.WaitStatus(unix.SIGKILL) {
					t.Errorf("got %s", r)
				}
			}
		})
	})
}

// TestDaemon: a process that outlives the command holds nobody and nothing,
// and is recorded until its own end (K1).
func TestDaemon(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	eachTraced(t, func(t *testing.T, w *way) {
		end := filepath.Join(t.TempDir(), "end")
		if err := unix.Mkfifo(end, 0o600); err != nil {
			t.Fatal(err)
		}
		argv := w.command(life, "daemon", end)
		cmd := exec.Command(argv[0], argv[1:]...)
		p, r := startPiped(t, cmd, true)
		status := p.wait(t).status
		// All writers have gone: the daemon has closed its own.
		out, err := io.ReadAll(r)
		if err != nil || status != 0 || string(out) != "1 children, statuses 0, No child processes\n" {
			t.Errorf("status %#x, %q, %v", status, out, err)
		}
		if w.reader != nil {
			w.reader.settled()
			w.reader.alive(t, 1)
		}
		f, err := os.OpenFile(end, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if w.reader == nil {
			return
		}
		w.reader.everybody(t)
		opened := slices.ContainsFunc(w.reader.done(t), func(r record) bool {
			return r.exit && strings.HasPrefix(r.call, "open") && strings.Contains(string(r.Bytes()), "/the/daemon/was/here")
		})
		if !opened {
			t.Error("the last open of the daemon is not recorded")
		}
	})
}
