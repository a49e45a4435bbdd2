package integration

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// asInit runs a command as PID 1 of a pid namespace with its own /proc.
func asInit(t *testing.T, argv []string) *exec.Cmd {
	t.Helper()
	needRoot(t)
	const mount = `mount --make-rprivate / && mount -t proc proc /proc && exec "$0" "$@"`
	cmd := exec.Command("sh", append([]string{"-c", mount}, argv...)...)
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	return cmd
}

// sortedRuns sorts the lines between those that are in a fixed order: what
// children say that ended together.
func sortedRuns(text string) string {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		n := i
		for n < len(lines) && strings.HasPrefix(lines[n], "status ") {
			n++
		}
		slices.Sort(lines[i:n])
		i = max(n, i+1)
	}
	return strings.Join(lines, "\n")
}

// TestInit: the first process of a pid namespace finds no child that it has not
// made, is proof against the same signals, and may kill everybody else (P8).
func TestInit(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	compare(t, func(t *testing.T, w *way) string {
		return sortedRuns(start(t, asInit(t, w.command(life, "init"))).wait(t).String())
	})
}

// TestInitFault: a fault ends it all the same.
func TestInitFault(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	compare(t, func(t *testing.T, w *way) string {
		cmd := asInit(t, w.command(life, "segv"))
		cmd.Dir = t.TempDir()
		return start(t, cmd).wait(t).String()
	})
}

// TestInitShell runs a shell that has children and leaves orphans.
func TestInitShell(t *testing.T) {
	t.Parallel()
	compare(t, func(t *testing.T, w *way) string {
		const script = `echo $$ $PPID; mkfifo a b; (sh -c 'read x < a; echo orphan; echo > b' &)
			ls / | wc -l; echo > a; read x < b; wait; (exit 5); echo $?; exit 6`
		cmd := asInit(t, w.command("sh", "-c", script))
		cmd.Dir = t.TempDir()
		return start(t, cmd).wait(t).String()
	})
}

// TestInitEvents: all that the namespace did is in the ring when the parent of
// its first process hears of the end, also when others are left in it (K5).
func TestInitEvents(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	for name, kill := range map[string]bool{"ends": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				w := readWay(t)
				argv := w.command("sh", "-c", "for i in 1 2 3; do ls / >&2; done 2>/dev/null; sleep 100 & sleep 100 & exit 3")
				if kill {
					argv = w.command(life, "busy", "6")
				}
				cmd := asInit(t, argv)
				if kill {
					cmd.Stdout = nil
				}
				p := start(t, cmd)
				if kill {
					w.reader.alive(t, 7)
					time.Sleep(20 * time.Millisecond) // anywhere in their calls
					if err := unix.Kill(p.pid(), unix.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
				r := p.wait(t)
				head := ringHead(t, w.prefix)
				w.reader.settled()
				if now := ringHead(t, w.prefix); now != head {
					t.Errorf("the ring was at %d when the command had ended, and is at %d", head, now)
				}
				lives := checkRecords(t, w.reader.done(t))
				if l := lives[1]; l == nil || l.status != int64(r.status) {
					t.Errorf("the command ended with %#x, by its events with %+v", uint32(r.status), l)
				}
			}
		})
	}
}

// TestInitStopped: a stop from outside of the namespace works, and the signals
// of the namespace itself do not.
func TestInitStopped(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	compare(t, func(t *testing.T, w *way) string {
		cmd := asInit(t, w.command(life, "busy", "1"))
		p, r := startPiped(t, cmd, false)
		if _, err := r.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, sig := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT, unix.SIGTERM, unix.SIGSTOP, unix.SIGKILL} {
			if err := unix.Kill(p.pid(), sig); err != nil {
				t.Fatal(err)
			}
			if sig == unix.SIGTERM {
				continue // it has no handler
			}
			var ws unix.WaitStatus
			if _, err := unix.Wait4(p.pid(), &ws, unix.WUNTRACED|unix.WCONTINUED, nil); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%v: %s\n", sig, told(ws))
		}
		p.timer.Stop()
		return out.String()
	})
}

// TestForeignProc: where /proc is that of another pid namespace, the numbers in
// it are those of other processes.
func TestForeignProc(t *testing.T) {
	needRoot(t)
	t.Parallel()
	prefix := ring(t)
	r := startReader(t, prefix)
	cmd := exec.Command(pdigPath, "--ring", prefix, "-e", "exec", "--", "sh", "-c", "/bin/ls /; true")
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.everybody(t)
	r.done(t)
	var names []string
	for _, rec := range r.records {
		if rec.call == "execve" && rec.exit {
			comm := slices.IndexFunc(rec.Info().Params, func(p syscalls.Param) bool { return p.Name == "comm" })
			names = append(names, string(rec.Str(comm)))
		}
	}
	if want := []string{"sh", "ls"}; !slices.Equal(names, want) {
		t.Errorf("the programs that were executed are called %q, want %q", names, want)
	}
}
