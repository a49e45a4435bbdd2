package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody is a command run by a user without rights.
func asNobody(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &unix.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// TestAttachRefused: who cannot be traced, and the rule, in one line (P20), or the
// process that traces it already (P27).
func TestAttachRefused(t *testing.T) {
	t.Parallel()
	g := startTarget(t, fixture(t, "attach"), "steps")
	pid := strconv.Itoa(g.pid())
	dead := start(t, exec.Command("true"))
	eventually(t, "it has ended", func() bool { return gone(dead.pid()) })
	zombie := strconv.Itoa(dead.pid())
	refused := func(t *testing.T, cmd *exec.Cmd, want string) {
		t.Helper()
		r := start(t, cmd).wait(t)
		if got := r.String(); got != "status 0x7d00\n"+want {
			t.Errorf("got %s, want status 0x7d00\n%s", got, want)
		}
	}
	pdig := func(options ...string) *exec.Cmd {
		return exec.Command(pdigPath, append([]string{"--ring", ring(t)}, options...)...)
	}
	t.Run("none", func(t *testing.T) {
		refused(t, pdig("-p", "4194305"), "pdig: process 4194305: no such process\n")
	})
	t.Run("ended", func(t *testing.T) {
		refused(t, pdig("-P", zombie), "pdig: process "+zombie+": it has ended\n")
	})
	t.Run("several", func(t *testing.T) {
		refused(t, pdig("-p", "4194305 "+zombie), "pdig: process 4194305: no such process\npdig: process "+zombie+": it has ended\n")
	})
	t.Run("itself", func(t *testing.T) {
		cmd := exec.Command("sh", "-c", `exec "$0" --ring "$1" -p $$`, pdigPath, ring(t))
		p := start(t, cmd)
		r := p.wait(t)
		if want := fmt.Sprintf("status 0x7d00\npdig: process %d: it is the tracer itself\n", p.pid()); r.String() != want {
			t.Errorf("got %s, want %s", r, want)
		}
	})
	t.Run("traced", func(t *testing.T) {
		w := &way{prefix: ring(t)}
		p := w.attach(t, g.pid())
		refused(t, pdig("-p", pid), fmt.Sprintf("pdig: process %s: already traced by process %d (\"pdig\")\n", pid, p.pid()))
		detach(t, p, unix.SIGINT, g.pid())
	})
	t.Run("another user", func(t *testing.T) {
		needRoot(t)
		dir := t.TempDir()
		for d := dir; len(d) > len(os.TempDir()); d = d[:strings.LastIndexByte(d, '/')] {
			_ = os.Chmod(d, 0o755)
		}
		if out, err := exec.Command("cp", pdigPath, dir+"/pdig").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		shm := ring(t)
		if err := os.Chmod(shm[:strings.LastIndexByte(shm, '/')], 0o777); err != nil {
			t.Fatal(err)
		}
		refused(t, asNobody(dir+"/pdig", "--ring", shm, "-p", pid),
			"pdig: process "+pid+": not permitted: it belongs to another user (uid 0), and CAP_SYS_PTRACE is missing\n")
		needProgram(t, "python3")
		setpriv := needProgram(t, "setpriv")
		// One that is of the user, but with a group, or rights, of another.
		for _, other := range []struct {
			set  []string
			want string
		}{
			{[]string{"--reuid=65534", "--clear-groups"}, "it has another group (gid 0)"},
			{[]string{"--regid=65534", "--clear-groups", "--ruid=65534"}, "it belongs to another user (uid 0)"},
		} {
			p := startTargetCmd(t, exec.Command(setpriv, append(other.set, "/usr/bin/python3", "-c", "print('ready',flush=True); input()")...))
			refused(t, asNobody(dir+"/pdig", "--ring", shm, "-p", strconv.Itoa(p.pid())),
				fmt.Sprintf("pdig: process %d: not permitted: %s, and CAP_SYS_PTRACE is missing\n", p.pid(), other.want))
			_ = p.cmd.Process.Kill()
			p.wait(t)
		}
		// Of the same user, but not to be looked at.
		hidden := startTargetCmd(t, asNobody("/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL(None).prctl(4,0); print('ready',flush=True); input()"))
		refused(t, asNobody(dir+"/pdig", "--ring", shm, "-p", strconv.Itoa(hidden.pid())),
			fmt.Sprintf("pdig: process %d: not permitted: it hides its memory (PR_SET_DUMPABLE), and CAP_SYS_PTRACE is missing\n", hidden.pid()))
		_ = hidden.cmd.Process.Kill()
		hidden.wait(t)
	})
	// One that fails does not keep the others.
	w := readWay(t)
	p := w.startAttach(t, []string{"-p", "4194305", "-p", pid}, g.pid())
	g.step(t, 1)
	g.finish(t)
	if got, want := p.wait(t).String(), "status 0x0\npdig: process 4194305: no such process\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.reader.done(t)
	_ = dead.wait(t)
}
