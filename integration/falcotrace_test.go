package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// shellWork writes to both streams, from children too, and ends by a status of its own.
const shellWork = `echo begin; echo wrong >&2
(exit 3); echo "child $?"
sh -c 'kill -KILL $$'; echo "killed $?"
ls /nowhere 2>/dev/null || echo "pid $$, parent $PPID"
cat /proc/self/status | grep -c '^Pid:'
exit 7`

// killerWork tries to kill all whom it finds, which are none that it knows of.
const killerWork = `for d in /proc/[0-9]*; do p=${d#/proc/}
[ $p = $$ ] || kill -9 $p 2>/dev/null && [ $p != $$ ] && echo "killed $p"
done
kill -9 -1 2>/dev/null; echo "all: $?"; exit 7`

// TestFalcoTrace: a wrapped command ends the same in a container, and says the same on
// both streams, whatever the container may not do; its events are there.
func TestFalcoTrace(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	users := []containerUser{asRoot, asConfined}
	commands := map[string][]string{"shell": {"sh", "-c", shellWork}, "server": {"container", "work", "/programs/container"}, "killer": {"sh", "-c", killerWork}}
	native := map[string]result{}
	for name, command := range commands {
		for _, user := range users {
			got := (&container{user: user}).run(t, command...)
			if got.status.ExitStatus() != 7 {
				t.Fatalf("%s as %s: %s", name, user.name, got)
			}
			native[name+user.name] = got
		}
	}
	wrapped := func(t *testing.T, seccomp any) {
		for name, command := range commands {
			for _, user := range users {
				t.Run(name+" as "+user.name, func(t *testing.T) {
					c := &container{user: user, seccomp: seccomp, noShm: user.readOnlyRoot, noExec: true}
					got := c.run(t, append([]string{"falco-trace", "run", "-o", "/out/events", "--"}, command...)...)
					if diff := cmp.Diff(native[name+user.name].String(), got.String()); diff != "" {
						t.Errorf("(-native +wrapped)\n%s", diff)
					}
					if name == "server" {
						checkWork(t, filepath.Join(c.out, "events"), slices.Equal(user.caps, dockerCaps))
						return
					}
					c.awaitEvents(t, "> procexit status=1792 ")
					if name == "shell" {
						c.awaitEvents(t, "execve res=0 exe=ls args=/nowhere.")
					}
				})
			}
		}
	}
	eachProfile(t, wrapped)
	t.Run("sandbox", func(t *testing.T) {
		t.Parallel()
		wrapped(t, seccompSandbox())
	})
}

// httpServer is a server that is PID 1, tells of its requests, and has a handler for the
// signal with which its container is stopped. It looks for children that it has not made.
const httpServer = `
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello\n")
    def log_message(self, *_):
        print(self.command, self.path, file=sys.stderr, flush=True)
def stop(*_):
    print("stopped", flush=True); sys.exit(5)
signal.signal(signal.SIGTERM, stop)
server = http.server.HTTPServer(("127.0.0.1", 8080), Handler)
try: os.waitpid(-1, os.WNOHANG); print("ready, with a child", flush=True)
except ChildProcessError: print("ready", flush=True)
print("pid", os.getpid(), flush=True)
server.serve_forever()`

const httpClient = `
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8080/page").read())
try: open("/none/from-outside")
except OSError: pass`

// TestFalcoTraceServer: a server is stopped by the signal of its container, in its
// handler; who comes into the container by exec is watched too.
func TestFalcoTraceServer(t *testing.T) {
	needContainers(t)
	needProgram(t, "python3")
	serve := func(t *testing.T, c *container, wrap ...string) (said string) {
		c.args = append(wrap, "/usr/bin/python3", "-c", httpServer)
		c.prepare(t)
		g := startTargetCmd(t, c.command())
		said = g.line(t)
		if out, err := c.runc("exec", c.id, "/usr/bin/python3", "-c", httpClient).CombinedOutput(); err != nil || string(out) != "b'hello\\n'\n" {
			t.Errorf("exec: %v: %s", err, out)
		}
		if len(wrap) > 0 {
			c.awaitEvents(t, "name=/none/from-outside ", " < accept")
		}
		if out, err := c.runc("kill", c.id, "TERM").CombinedOutput(); err != nil {
			t.Fatalf("runc kill: %v: %s", err, out)
		}
		return said + g.finish(t)
	}
	for _, user := range []containerUser{asRoot, asConfined} {
		t.Run(user.name, func(t *testing.T) {
			want := serve(t, &container{user: user})
			if !strings.HasPrefix(want, "pid 1\nstopped\nstatus 0x500\n") {
				t.Fatalf("natively: %s", want)
			}
			c := &container{user: user, seccomp: seccompConfig(seccompProfiles["Docker 20.10"]), noShm: true,
				env: []string{"FALCO_TRACE_OUTPUT=/out/events", "FALCO_TRACE_PORT=tcp://10.0.0.1:80"}}
			if diff := cmp.Diff(want, serve(t, c, "falco-trace", "run", "--")); diff != "" {
				t.Errorf("(-native +wrapped)\n%s", diff)
			}
		})
	}
}

// TestFalcoTraceExec: who comes into the container by exec and cannot be traced is told of,
// unless nobody is to be adopted.
func TestFalcoTraceExec(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	for _, adopt := range []string{"", "false"} {
		c := &container{user: asUser, env: []string{"FALCO_TRACE_LOG_FILE=/out/log", "FALCO_TRACE_LOG_LEVEL=info", "FALCO_TRACE_ADOPT=" + adopt}}
		c.args = []string{"falco-trace", "run", "-o", "/out/events", "--", "container", "serve"}
		c.prepare(t)
		g := startTargetCmd(t, c.command())
		logged := func(texts ...string) bool {
			log, _ := os.ReadFile(filepath.Join(c.out, "log"))
			return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(string(log), text) })
		}
		const wait = `echo ready; read line`
		guest := startTargetCmd(t, c.runc("exec", c.id, "sh", "-c", wait))
		root := startTargetCmd(t, c.runc("exec", "--user", "0", c.id, "sh", "-c", wait))
		if adopt == "" {
			eventually(t, "one is adopted, the other told of", func() bool { return logged(`"adopted"`, `"level":"error"`, `"not adopted"`) })
		}
		guest.finish(t)
		root.finish(t)
		if out, err := c.runc("kill", c.id, "TERM").CombinedOutput(); err != nil {
			t.Fatalf("runc kill: %v: %s", err, out)
		}
		if got, want := g.finish(t), "pid 1\nterminated\nstatus 0x500\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if adopt != "" && (logged("adopted") || !logged("command started")) {
			log, _ := os.ReadFile(filepath.Join(c.out, "log"))
			t.Errorf("in the log: %s", log)
		}
	}
}

// TestFalcoTraceSensorCommand: the role sensor is the program sensor, and has its own pdig;
// its options are given by the environment too, but not those of another role.
func TestFalcoTraceSensorCommand(t *testing.T) {
	events := filepath.Join(t.TempDir(), "events")
	t.Setenv("PATH", "/usr/bin:/bin") // where there is no pdig
	t.Setenv("FALCO_TRACE_OUTPUT", events)
	t.Setenv("FALCO_TRACE_JSON", "true")
	t.Setenv("FALCO_TRACE_RING", "/nowhere/ring")
	t.Setenv("FALCO_TRACE_FILTER", "evt.type=execve")
	// Beside this one is no pdig either.
	alone := filepath.Join(t.TempDir(), "falco-trace")
	program, err := os.ReadFile(falcoTracePath)
	if err := errors.Join(err, os.WriteFile(alone, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	got := runCommand(t, alone, "sensor", "--", "sh", "-c", "echo out; echo err >&2; exit 4")
	if got.status.ExitStatus() != 4 || got.stdout != "out\n" || !strings.HasPrefix(got.stderr, "err\nevents: ") || !strings.Contains(got.stderr, " 0 lost") {
		t.Errorf("got %s", got)
	}
	text, err := os.ReadFile(events)
	if err != nil || !strings.HasPrefix(string(text), "{") || strings.Count(string(text), `"evt.type":"execve"`) != strings.Count(string(text), "\n") {
		t.Errorf("got %v, %s", err, text)
	}
}

// TestFalcoTraceStdout: events are on the stream that was asked for, beside what the
// command says.
func TestFalcoTraceStdout(t *testing.T) {
	got := runCommand(t, falcoTracePath, "run", "-o", "stdout", "-j", "--filter", "evt.type=execve", "sh", "-c", "echo out; echo err >&2; exit 4")
	var own, events []string
	for line := range strings.Lines(got.stdout) {
		if strings.HasPrefix(line, "{") {
			events = append(events, line)
		} else {
			own = append(own, line)
		}
	}
	if got.status.ExitStatus() != 4 || strings.Join(own, "") != "out\n" || len(events) == 0 ||
		!strings.HasPrefix(got.stderr, "err\nevents: ") || !strings.Contains(got.stderr, " 0 lost") {
		t.Errorf("got %s", got)
	}
}

// TestFalcoTraceCapture: a capture is written with the events that are shown, or alone.
func TestFalcoTraceCapture(t *testing.T) {
	for i := range 20 { // who ends it may do so just after the sensor had nothing to do
		output := []string{"", "events"}[i%2]
		dir := t.TempDir()
		args := []string{"run", "-w", "capture"}
		if output != "" {
			args = append(args, "-o", output)
		}
		cmd := exec.Command(falcoTracePath, append(args, "sh", "-c", "ls /nowhere; exit 3")...)
		cmd.Dir = dir
		if got := start(t, cmd).wait(t); got.status.ExitStatus() != 3 {
			t.Fatalf("got %s", got)
		}
		lines := runCommand(t, sensorPath, "-r", filepath.Join(dir, "capture")).stdout
		if !strings.Contains(lines, " > procexit status=768 ") {
			t.Errorf("in the capture: %s", lines)
		}
		text, err := os.ReadFile(filepath.Join(dir, "events"))
		if (err == nil) != (output != "") || err == nil && !strings.Contains(string(text), " > procexit status=768 ") {
			t.Errorf("in the output: %v %s", err, text)
		}
	}
}

// TestFalcoTraceNoSensor: a command for which a time to wait was given does not begin
// without a sensor, wherever that is.
func TestFalcoTraceNoSensor(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string // the last line
	}{
		{[]string{"--ring", ring(t), "--wait-sensor", "100ms"}, "status 0x7d00\nfalco-trace: no sensor reads the ring after 100ms (--wait-sensor)\n"},
		{[]string{"--ring", ring(t)}, "begun\nstatus 0x0\n"},
		{[]string{"-o", "unix:/nowhere", "--wait-sensor", "100ms"}, "falco-trace: the sensor does not read after 100ms (--wait-sensor)\n"},
		{[]string{"-o", "unix:/nowhere", "--wait-sensor", "never"}, "begun\nstatus 0x0\n"},
	} {
		got := runCommand(t, append(append([]string{falcoTracePath, "run"}, row.args...), "--", "echo", "begun")...)
		if begun := strings.Contains(row.want, "begun"); begun != (got.stdout == "begun\n") || begun != (got.status == 0) || !strings.Contains(got.String(), row.want) {
			t.Errorf("%q: got %s, want %s", row.args, got, row.want)
		}
	}
}

// TestFalcoTraceMark: with a mark before its name the program is an ordinary one.
func TestFalcoTraceMark(t *testing.T) {
	for _, row := range []struct {
		program, role, want string
	}{
		{falcoTracePath, "--help", "status 0x0\n"},
		{falcoTracePath, "run", "status 0x7d00\nfalco-trace: cannot become the command: "},
		{pdigPath, "true", "status 0x7d00\npdig: cannot become the command: "},
	} {
		cmd := exec.Command(row.program, row.role, "true")
		cmd.Args[0] = "+program"
		if got := start(t, cmd).wait(t).String(); !strings.Contains(got, row.want) {
			t.Errorf("%s %s: got %s, want %s", row.program, row.role, got, row.want)
		}
	}
}

// BenchmarkFalcoTraceStart: how long true takes natively and wrapped, side by side in turns.
func BenchmarkFalcoTraceStart(b *testing.B) {
	dir := b.TempDir()
	ways := []struct {
		name string
		wrap []string
	}{
		{"native", nil},
		{"ring", []string{falcoTracePath, "run", "--ring", filepath.Join(dir, "ring"), "--"}},
		{"output", []string{falcoTracePath, "run", "-o", filepath.Join(dir, "events"), "--"}},
	}
	took := make([][]float64, len(ways))
	for b.Loop() {
		for i, w := range ways {
			argv := append(slices.Clone(w.wrap), "/bin/true")
			began := time.Now()
			if err := exec.Command(argv[0], argv[1:]...).Run(); err != nil {
				b.Fatalf("%q: %v", argv, err)
			}
			took[i] = append(took[i], time.Since(began).Seconds()*1000)
		}
	}
	for i, w := range ways {
		slices.Sort(took[i])
		b.ReportMetric(took[i][len(took[i])/2], w.name+"-ms")
		b.ReportMetric(took[i][0], w.name+"-least-ms")
	}
}

// TestFalcoTraceSidecar: containers of one pod, with one IPC namespace, write into one ring,
// and a sensor in a further one reads it: in their /dev/shm, or in a volume where there is
// none.
func TestFalcoTraceSidecar(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	for _, user := range []containerUser{asRoot, asConfined} {
		for _, place := range []string{"shm", "volume"} {
			t.Run(place+" as "+user.name, func(t *testing.T) {
				var ring string
				pod := container{user: user, seccomp: seccompConfig(seccompProfiles["containerd 1.6"]), noExec: true}
				if place == "volume" {
					ring, pod.noShm = "/out/ring", true
				} else {
					ring, pod.shm = "udig", smallShm(t)
				}
				s := pod
				s.args = []string{"falco-trace", "sensor", "-u", "--ring", ring}
				s.env = []string{"FALCO_TRACE_OUTPUT=/out/events", "FALCO_TRACE_ADOPT=true"} // for all containers
				s.prepare(t)
				p := start(t, s.command())
				eventually(t, "the sensor has made the ring", func() bool {
					made := filepath.Join(s.out, "ring_descs")
					if s.shm != "" {
						made = filepath.Join(s.shm, ring+"_descs")
					}
					_, err := os.Stat(made)
					return err == nil
				})
				for i := range 2 {
					c := pod
					c.out, c.ipcOf = s.out, s.init(t)
					name := fmt.Sprintf("/none/container%d", i)
					got := c.run(t, "falco-trace", "run", "--ring", ring, "--wait-sensor", "1m", "--", "container", "open", name)
					if got, want := got.String(), name+": No such file or directory\nstatus 0x0\n"; got != want {
						t.Errorf("got %s, want %s", got, want)
					}
					s.awaitEvents(t, " name="+name+" ")
				}
				if err := unix.Kill(s.init(t), unix.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if got := p.wait(t); got.status != 0 || !strings.Contains(got.stderr, " 0 lost") {
					t.Errorf("sensor: got %s", got)
				}
			})
		}
	}
}

// smallShm is what container engines mount as /dev/shm.
func smallShm(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("shm", dir, "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=64m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFalcoTraceCopy: an init container without a shell puts the program into a volume,
// and another container, of an image without a shell, runs its command by it.
func TestFalcoTraceCopy(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	first := &container{user: asConfined, bare: true, noShm: true}
	if got := first.run(t, "falco-trace", "copy", "/out/falco").String(); got != "status 0x0\n" {
		t.Fatalf("copy: got %s", got)
	}
	c := &container{user: asConfined, bare: true, noShm: true, out: first.out}
	got := c.run(t, "/out/falco/falco-trace", "run", "-o", "/out/events", "--", "container", "work", "/programs/container")
	if want := (&container{user: asConfined, bare: true}).run(t, "container", "work", "/programs/container"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	checkWork(t, filepath.Join(c.out, "events"), false)
}

// TestFalcoTraceNoPtrace: where nothing can be traced a line says why, and the command
// does not run unseen by mistake.
func TestFalcoTraceNoPtrace(t *testing.T) {
	needContainers(t)
	c := &container{user: asConfined, seccomp: seccompConfig(seccompNoPtrace), noShm: true}
	got := c.run(t, "falco-trace", "run", "-o", "/out/events", "--", "ls").String()
	if want := "status 0x7d00\nfalco-trace: ptrace is refused: the seccomp profile of pdig does not allow ptrace\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestFalcoTraceNoPlace: without -o the ring needs a place; where there is none, or it is
// another user's, a line says why and the command does not begin.
func TestFalcoTraceNoPlace(t *testing.T) {
	needContainers(t)
	for prefix, want := range map[string]string{
		"udig":   "ring object /dev/shm/udig_buf: there is no directory /dev/shm: ",
		"/x":     "ring object /x_buf: ",
		"/out/r": "ring object /out/r_buf: ",
	} {
		c := &container{user: asConfined, noShm: true}
		if prefix == "/out/r" {
			c.out = t.TempDir()
			for _, name := range []string{"r_buf", "r_descs"} {
				if err := os.WriteFile(filepath.Join(c.out, name), make([]byte, 4096), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := c.run(t, "falco-trace", "run", "--ring", prefix, "--", "echo", "begun").String()
		if !strings.HasPrefix(got, "status 0x7d00\nfalco-trace: "+want) {
			t.Errorf("--ring %s: got %s, want %s", prefix, got, want)
		}
	}
}

// TestFalcoTraceSensorKilled: a sensor that is killed is started again, and the command
// notices nothing. With --priority security no event is lost between the two.
func TestFalcoTraceSensorKilled(t *testing.T) {
	program := fixture(t, "attach")
	for _, priority := range []string{"availability", "security"} {
		t.Run(priority, func(t *testing.T) {
			events := filepath.Join(t.TempDir(), "events")
			g := startTarget(t, falcoTracePath, "run", "--priority", priority, "-o", events, "--", program, "steps")
			steps := 0
			step := func() {
				steps++
				g.step(t, steps)
			}
			written := func(n int) func() bool {
				return func() bool {
					text, _ := os.ReadFile(events)
					return strings.Contains(string(text), fmt.Sprintf("name=/attach/%d ", n))
				}
			}
			step()
			eventually(t, "the first event", written(1))
			sensor := sensorOf(g.pid())
			if sensor == 0 {
				t.Fatal("there is no sensor")
			}
			if err := unix.Kill(sensor, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			// What is written before it is dead is lost with it.
			eventually(t, "the end of the sensor", func() bool { return statusField(sensor, "State") == "" })
			if priority == "availability" {
				step()
				eventually(t, "another sensor", func() bool { return sensorOf(g.pid()) != 0 && sensorOf(g.pid()) != sensor })
				eventually(t, "an event after it", func() bool {
					step()
					return written(steps)()
				})
			} else {
				step()
				eventually(t, "the event in between", written(2))
			}
			if got := g.finish(t); got != "status 0x0\n" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// sensorOf is the sensor beside the tracer of a process, 0 if there is none.
func sensorOf(pid int) int {
	tracer := tracerOf(pid)
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range paths {
		child := leading(filepath.Base(path))
		if tracer > 0 && leading(statusField(child, "PPid")) == tracer && statusField(child, "TracerPid") == "0" && !gone(child) {
			return child
		}
	}
	return 0
}
