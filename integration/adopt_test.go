package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// nested is a pid namespace with a command in it that pdig traces, and adopts for.
type nested struct {
	*target
	init int // the first process, as the test sees it
	log  string
}

// startNested starts a script as PID 1 of a pid namespace, in which the words pdig
// stand for pdig with its options. It ends when its standard input does.
func startNested(t *testing.T, w *way, script string, options ...string) *nested {
	t.Helper()
	needProgram(t, "nsenter")
	n := &nested{log: filepath.Join(t.TempDir(), "log")}
	argv := slices.Concat([]string{pdigPath, "--ring", w.prefix, "-e", "all", "--adopt", "--log-level", "info", "--log-file", n.log}, options)
	script = strings.ReplaceAll(script, "pdig", strings.Join(argv, " "))
	n.target = startTargetCmd(t, asInit(t, []string{"sh", "-c", script}))
	n.init = n.pid()
	return n
}

// enter runs a command in the namespace, which begins with the line ready.
func (n *nested) enter(t *testing.T, argv ...string) *target {
	t.Helper()
	return startTargetCmd(t, exec.Command("nsenter", append([]string{"-t", strconv.Itoa(n.init), "-p", "-m"}, argv...)...))
}

// child is the process that a process has made: nsenter runs its command in one.
func child(t *testing.T, pid int) (found int) {
	t.Helper()
	eventually(t, "it has a child", func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		found, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return found > 0
	})
	return found
}

func (n *nested) logged(text string) bool {
	b, _ := os.ReadFile(n.log)
	return strings.Contains(string(b), text)
}

// execOfThread replaces the leader of its process.
const execOfThread = `import os, threading
threading.Thread(target=os.execv, args=("/bin/sh", ["sh", "-c", "echo ready; read line; true"])).start()`

const visitor = `echo ready; read line; cat /adopt/$line 2>/dev/null; (exec cat /adopt/child 2>/dev/null); echo done; read line; true`

// TestAdopt: who enters the pid namespace of the command, or of a process that was
// attached to, is traced from then on, with all that it makes (E9).
func TestAdopt(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, c := range []struct {
		name, script string
		options      []string
	}{
		{"init", `exec pdig -- sh -c 'echo ready; read line; true'`, nil},
		{"no init", `pdig -- sh -c 'echo ready; read line; true'; exit`, nil},
		{"held, and executed by a thread", `pdig --wait-all -- python3 -c '` + execOfThread + `'; exit`, nil},
		{"every", `exec pdig -- sh -c 'echo ready; read line; true'`, []string{"--seccomp", "never"}},
		{"attached", `pdig -p 1 & echo ready; read line; true`, nil},
		{"attached with a filter", `pdig -p 1 2>/dev/null & echo ready; read line; true`, []string{"--seccomp", "always"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(c.script, "python3") {
				needProgram(t, "python3")
			}
			w := readWay(t)
			n := startNested(t, w, c.script, c.options...)
			if strings.HasPrefix(c.name, "attached") {
				eventually(t, "it has attached", func() bool { return n.logged(`"attached"`) })
			}
			v := n.enter(t, "sh", "-c", visitor)
			pid := child(t, v.pid())
			eventually(t, "it is adopted", func() bool { return n.logged(`"adopted"`) })
			tracer := tracerOf(pid)
			if tracer == 0 {
				t.Error("it is not traced")
			}
			if _, err := io.WriteString(v.stdin, "itself\n"); err != nil {
				t.Fatal(err)
			}
			if got := v.line(t); got != "done\n" {
				t.Errorf("got %q", got)
			}
			if n.init != tracerOf(n.init) && c.name == "no init" && tracerOf(n.init) != 0 {
				t.Error("an ancestor is traced")
			}
			if got := v.finish(t); got != "status 0x0\n" {
				t.Errorf("the visitor: got %s", got)
			}
			if got := n.finish(t); got != "status 0x0\n" {
				t.Errorf("got %s", got)
			}
			records := w.reader.done(t)
			for _, name := range []string{"itself", "child"} {
				if enter, exit := opened(records, "/adopt/"+name); enter != 1 || exit != 1 {
					t.Errorf("%s: %d enter and %d exit halves of its open", name, enter, exit)
				}
			}
		})
	}
}

// TestAdoptNobody: who was there before, and who is outside, is left alone; in the
// first pid namespace everybody would be a stranger.
func TestAdoptNobody(t *testing.T) {
	t.Parallel()
	needRoot(t)
	w := readWay(t)
	n := startNested(t, w, `sleep 1000 >&- 2>&- & pdig -- sh -c 'echo ready; read line; true'; kill $!; exit`)
	v := n.enter(t, "sh", "-c", visitor)
	eventually(t, "the visitor is adopted", func() bool { return n.logged(`"adopted"`) })
	tracer := tracerOf(child(t, v.pid()))
	for _, tid := range tracees(tracer) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", tid))
		if text := string(comm); text != "sh\n" || tid == n.init || tid == v.pid() {
			t.Errorf("%d (%q) is traced", tid, text)
		}
	}
	v.finish(t)
	n.finish(t)
	t.Run("no container", func(t *testing.T) {
		needFirstNamespace(t)
		for _, argv := range [][]string{{"true"}, {"-p", strconv.Itoa(os.Getpid())}} {
			r := runCommand(t, append([]string{pdigPath, "--ring", ring(t), "--adopt"}, argv...)...)
			const want = "pdig: --adopt: nobody can enter the first pid namespace of the machine: all that begin there would be adopted\n"
			if r.status.ExitStatus() != 125 || r.stderr != want {
				t.Errorf("got %s, want %s", r, want)
			}
		}
	})
}

// TestAdoptOutside attaches from outside to a process of a namespace: who enters
// that is adopted, who begins beside it is not.
func TestAdoptOutside(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needProgram(t, "nsenter")
	w := &way{prefix: ring(t)} // the reader would be an ancestor of all
	n := &nested{target: startTargetCmd(t, asInit(t, []string{"sh", "-c", "echo ready; read line; true"}))}
	n.init = n.pid()
	w.more = []string{"--adopt"}
	p := w.attach(t, n.init)
	other := startTarget(t, "sh", "-c", "echo ready; read line; true")
	v := n.enter(t, "unshare", "-p", "-f", "sh", "-c", visitor) // and into one below
	inner := child(t, child(t, v.pid()))
	eventually(t, "it is adopted", func() bool { return tracerOf(inner) == p.pid() })
	if tracerOf(other.pid()) != 0 || tracerOf(v.pid()) != 0 {
		t.Error("somebody outside is traced")
	}
	detach(t, p, unix.SIGTERM, n.init, inner)
	for _, g := range []*target{v, other, n.target} {
		if got := g.finish(t); !strings.HasSuffix(got, "status 0x0\n") {
			t.Errorf("got %s", got)
		}
	}
}

// TestAdoptReader: a sensor that enters is not traced by whom it reads from, even if
// it was adopted before it reads, and with a ring that holds who writes.
func TestAdoptReader(t *testing.T) {
	t.Parallel()
	needRoot(t)
	w := &way{prefix: ring(t)}
	n := startNested(t, w, `exec pdig -- sh -c 'echo ready; read line; true'`, "--on-full", "block")
	script := fmt.Sprintf(`echo ready; read line; exec %s -u --ring %s`, sensorPath, w.prefix)
	s := n.enter(t, "sh", "-c", script)
	pid := child(t, s.pid())
	eventually(t, "it is adopted", func() bool { return n.logged(`"adopted"`) })
	if _, err := io.WriteString(s.stdin, "go\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is let go of", func() bool { return n.logged(`"let go of the reader"`) && tracerOf(pid) == 0 })
	v := n.enter(t, "sh", "-c", visitor)
	eventually(t, "the visitor is adopted", func() bool { return tracerOf(child(t, v.pid())) != 0 })
	if _, err := io.WriteString(v.stdin, "seen\n"); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.Contains(line, "name=/adopt/seen"); line = s.line(t) {
	}
	if tracerOf(pid) != 0 {
		t.Error("the sensor is traced again")
	}
	v.finish(t)
	n.finish(t)
	s.wait(t)
}

// TestAdoptRefused: who cannot be traced is told of, once, and counted.
func TestAdoptRefused(t *testing.T) {
	t.Parallel()
	needRoot(t)
	w := readWay(t)
	n := startNested(t, w, `exec pdig -- sh -c 'echo ready; read line; true'`, "-c")
	other := &way{prefix: ring(t)}
	v := n.enter(t, "sh", "-c", "echo ready; read line; true")
	pid := child(t, v.pid())
	eventually(t, "it is adopted", func() bool { return tracerOf(pid) != 0 })
	// What another tracer, which is outside, holds before it enters.
	argv := []string{pdigPath, "--ring", other.prefix, "--seccomp", "never", "--", "nsenter", "-t", strconv.Itoa(n.init), "-p", "-m", "sh", "-c", "echo ready; read line"}
	held := startTargetCmd(t, exec.Command(argv[0], argv[1:]...))
	eventually(t, "that is told", func() bool { return n.logged(`"not adopted"`) && n.logged(`traced from outside`) })
	held.finish(t)
	v.finish(t)
	if got, want := n.finish(t), "\nprocesses from outside that could not be traced: 1\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAdoptExecuted: what a runtime of containers executes in a container is adopted,
// by a tracer with no more rights than it.
func TestAdoptExecuted(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	for _, user := range []containerUser{asRoot, asMapped, asDropped, asConfined} {
		t.Run(user.name, func(t *testing.T) {
			c := &container{user: user, seccomp: seccompConfig(seccompProfiles["Docker 20.10"])}
			c.args = c.besideSensor("--adopt --log-level info --log-file /out/log -- container serve")
			c.prepare(t)
			g := startTargetCmd(t, c.command())
			c.awaitEvents(t, " < execve res=0 exe=container args=serve")
			const script = `echo ready; read line; cat /entered/$line 2>&1; true`
			v := startTargetCmd(t, c.runc("exec", c.id, "sh", "-c", script))
			eventually(t, "it is adopted", func() bool {
				text, _ := os.ReadFile(filepath.Join(c.out, "log"))
				return strings.Contains(string(text), `"adopted"`)
			})
			if _, err := io.WriteString(v.stdin, "it\n"); err != nil {
				t.Fatal(err)
			}
			c.awaitEvents(t, " name=/entered/it ")
			if got := v.finish(t); !strings.HasSuffix(got, "status 0x0\n") {
				t.Errorf("got %s", got)
			}
			if out, err := c.runc("kill", c.id, "TERM").CombinedOutput(); err != nil {
				t.Fatalf("runc kill: %v: %s", err, out)
			}
			if got, want := g.finish(t), "pid 1\nterminated\nstatus 0x500\n"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestAdoptStorm: threads and processes that are made without pause are all adopted,
// also those that nobody has made who lives.
func TestAdoptStorm(t *testing.T) {
	t.Parallel()
	needRoot(t)
	threads := fixture(t, "threads")
	w := readWay(t)
	n := startNested(t, w, `exec pdig -- sh -c 'echo ready; read line; true'`)
	v := n.enter(t, "sh", "-c", `echo ready; exec "$0" hectic`, threads)
	pid := child(t, v.pid())
	eventually(t, "all are adopted", func() bool {
		tids := threadIDs(pid)
		return len(tids) >= 5 && tracedBy(pid, tracerOf(n.init))
	})
	w.reader.manyMore(t)
	for range 50 {
		if !tracedBy(pid, tracerOf(n.init)) {
			t.Errorf("a thread is not traced:\n%s", describeAll(pid))
		}
	}
	if got := n.finish(t); got != "status 0x0\n" { // which ends all
		t.Errorf("got %s", got)
	}
	v.wait(t)
	w.reader.done(t)
}
