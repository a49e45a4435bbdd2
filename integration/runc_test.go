package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestContainer: a command ends the same in a container with pdig and without,
// whatever the container may not do, and its events are complete.
func TestContainer(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	native := map[string]result{}
	users := []containerUser{asRoot, asTracer, asMapped, asDropped, asConfined}
	for _, user := range users {
		c := &container{user: user}
		native[user.name] = c.run(t, "container", "work", "/programs/container")
		if status := native[user.name].status.ExitStatus(); status != 7 {
			words, _ := os.ReadFile(c.runtime + ".log")
			t.Fatalf("%s: status %d: %s", user.name, status, words)
		}
	}
	eachProfile(t, func(t *testing.T, seccomp any) {
		for _, user := range users {
			for _, noShm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s,noShm=%v", user.name, noShm), func(t *testing.T) {
					c := &container{user: user, seccomp: seccomp, noShm: noShm}
					got := c.run(t, "sensor", "-o", "/out/events", "--", "container", "work", "/programs/container")
					checkContainer(t, c, got, native[user.name])
				})
			}
		}
	})
}

func checkContainer(t *testing.T, c *container, got, want result) {
	t.Helper()
	if got.stdout != want.stdout || got.status != want.status {
		t.Errorf("got %s, want %s", got, want)
	}
	checkWork(t, filepath.Join(c.out, "events"), slices.Equal(c.user.caps, dockerCaps))
}

// besideSensor is a script that starts pdig with a sensor at its side, which
// writes to /out/events.
func (c *container) besideSensor(pdig string) []string {
	prefix := "udig"
	if c.noShm {
		prefix = "/out/ring"
	}
	return []string{"sh", "-c", fmt.Sprintf(
		"sensor -u --ring %[1]s -o /out/events & exec pdig --ring %[1]s --wait-sensor forever %[2]s", prefix, pdig)}
}

// awaitEvents waits until the sensor has written lines with all of the texts.
func (c *container) awaitEvents(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		eventually(t, "an event with "+text, func() bool {
			lines, _ := os.ReadFile(filepath.Join(c.out, "events"))
			return strings.Contains(string(lines), text)
		})
	}
}

// TestContainerInit: the first process of a container is the command, and gets
// the signals that the runtime sends.
func TestContainerInit(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	eachProfile(t, func(t *testing.T, seccomp any) {
		for _, user := range []containerUser{asRoot, asMapped, asDropped, asConfined} {
			for _, noShm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s,noShm=%v", user.name, noShm), func(t *testing.T) {
					c := &container{user: user, seccomp: seccomp, noShm: noShm}
					c.args = c.besideSensor("-- container serve")
					c.prepare(t)
					g := startTargetCmd(t, c.command())
					c.awaitEvents(t, " < execve res=0 exe=container args=serve")
					if out, err := c.runc("kill", c.id, "TERM").CombinedOutput(); err != nil {
						t.Fatalf("runc kill: %v: %s", err, out)
					}
					if got, want := g.finish(t), "pid 1\nterminated\nstatus 0x500\n"; got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				})
			}
		}
	})
}

// TestContainerFront: a sensor that is the first process of a container passes
// signals on to its command.
func TestContainerFront(t *testing.T) {
	needContainers(t)
	fixture(t, "container")
	for _, user := range []containerUser{asRoot, asConfined} {
		c := &container{user: user, seccomp: seccompConfig(seccompProfiles["Docker 20.10"]), noShm: true}
		c.args = []string{"sensor", "-o", "/out/events", "--", "container", "serve"}
		c.prepare(t)
		g := startTargetCmd(t, c.command())
		if line := g.line(t); !strings.HasPrefix(line, "pid ") || line == "pid 1\n" {
			t.Errorf("got %q", line)
		}
		if out, err := c.runc("kill", c.id, "TERM").CombinedOutput(); err != nil {
			t.Fatalf("runc kill: %v: %s", err, out)
		}
		if got, want := g.finish(t), "terminated\nstatus 0x500\nevents: "; !strings.HasPrefix(got, want) || !strings.Contains(got, " 0 lost") {
			t.Errorf("got %s, want %s… 0 lost", got, want)
		}
	}
}

// TestContainerNoPtrace: where nothing can be traced a line says why.
func TestContainerNoPtrace(t *testing.T) {
	needContainers(t)
	for _, user := range []containerUser{asRoot, asConfined} {
		c := &container{user: user, seccomp: seccompConfig(seccompNoPtrace)}
		got := c.run(t, "sensor", "-o", "/out/events", "--", "ls")
		want := "status 0x7d00\npdig: ptrace is refused: the seccomp profile of pdig does not allow ptrace\nevents: 0 delivered, 0 lost\n"
		if got.String() != want {
			t.Errorf("%s: got %s, want %s", user.name, got, want)
		}
	}
}

// TestContainerSidecar: another container with the same processes attaches, or
// says which rule does not let it.
func TestContainerSidecar(t *testing.T) {
	needContainers(t)
	fixture(t, "attach")
	const missing = ", and CAP_SYS_PTRACE is missing"
	for _, tt := range []struct {
		tracer, target containerUser
		want           string // the rule
	}{
		{asRoot, asRoot, ""},
		{asRoot, asDropped, ""},
		{asRoot, asUser, "it belongs to another user (uid 1000)" + missing},
		{asTracer, asUser, ""},
		{asTracer, asConfined, ""},
		{asUser, asUser, ""},
		{asConfined, asUser, ""},
		{asUser, asRoot, "it belongs to another user (uid 0)" + missing},
		{asDropped, asRoot, "it has capabilities that pdig lacks" + missing},
	} {
		t.Run(tt.tracer.name+" to "+tt.target.name, func(t *testing.T) {
			eachProfile(t, func(t *testing.T, seccomp any) {
				checkSidecar(t, seccomp, tt.tracer, tt.target, tt.want)
			})
		})
	}
	t.Run("no ptrace", func(t *testing.T) {
		checkSidecar(t, seccompConfig(seccompNoPtrace), asRoot, asRoot, "the seccomp profile of pdig does not allow ptrace")
	})
}

func checkSidecar(t *testing.T, seccomp any, tracer, target containerUser, rule string) {
	t.Helper()
	app := &container{user: target, seccomp: seccomp, args: []string{"attach", "steps"}}
	app.prepare(t)
	g := startTargetCmd(t, app.command())
	steps := 1
	g.step(t, steps)
	c := &container{user: tracer, seccomp: seccomp, pidOf: app.init(t)}
	if rule != "" {
		got, want := c.run(t, "pdig", "-p", "1").String(), "status 0x7d00\npdig: process 1: not permitted: "+rule+"\n"
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	} else {
		c.args = c.besideSensor("-p 1 --log-level info --log-file /out/log")
		c.prepare(t)
		p := start(t, c.command())
		eventually(t, "it has attached", func() bool {
			text, _ := os.ReadFile(filepath.Join(c.out, "log"))
			return strings.Contains(string(text), `"attached"`)
		})
		steps++
		g.step(t, steps)
		c.awaitEvents(t, "> openat dirfd=-100(AT_FDCWD) name=/attach/2 ", "< openat fd=-2(ENOENT) dirfd=-100(AT_FDCWD) name=/attach/2 ")
		if err := unix.Kill(c.init(t), unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if got, want := p.wait(t).String(), "status 0x0\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		untraced(t, app.init(t))
	}
	g.step(t, steps+1)
	if got, want := g.finish(t), "status 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
