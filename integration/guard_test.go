package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// assaults is what testdata/assail.c prints: what it may do to a tracer that belongs
// to it, and what it may not, with the given errors.
func assaults(user string, refused, group unix.Errno, signals ...unix.Signal) string {
	no := unix.ErrnoName(refused)
	mem, compare := "done", "done"
	if user != "root" {
		mem, compare = "EACCES", "EPERM"
	}
	var out strings.Builder
	for _, line := range []string{"PTRACE_ATTACH: " + no, "PTRACE_SEIZE: " + no, "process_vm_writev: " + no,
		"mem: " + mem, "kcmp: " + compare, "prlimit: " + no, "sched_setaffinity: " + no,
		"sched_setscheduler: " + no, "sched_setparam: " + no, "sched_setattr: " + no, "setpriority: " + no, "ioprio_set: " + no} {
		fmt.Fprintln(&out, line)
	}
	if refused == unix.ESRCH { // it belongs to it, and has a group of its own
		fmt.Fprintf(&out, "setpriority of its group: %s\nioprio_set of its group: %s\n", no, no)
	}
	fmt.Fprintln(&out, "its priority is the same")
	for _, line := range []string{"F_SETOWN: " + no, "F_SETOWN_EX: " + no, "FIOSETOWN: " + no, "SIOCSPGRP: " + no} {
		fmt.Fprintln(&out, line)
	}
	if refused == unix.ESRCH {
		fmt.Fprintf(&out, "F_SETOWN of its group: %s\nF_SETOWN_EX of its group: %s\n", no, no)
	}
	for _, sig := range signals {
		for _, call := range []string{"kill", "kill of its group", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "pidfd_send_signal by its directory"} {
			errno := no
			if call == "kill of its group" {
				errno = unix.ErrnoName(group)
			}
			fmt.Fprintf(&out, "%s %d: %s\n", call, sig, errno)
		}
	}
	return out.String() + "the tracer is the same\n"
}

// TestTracerAssailed: a tracee neither attaches to its tracer (P26) nor kills or
// stops it, and what it tries is recorded.
func TestTracerAssailed(t *testing.T) {
	t.Parallel()
	root(t)
	program := fixture(t, "assail")
	want := assaults("root", unix.ESRCH, unix.ESRCH, unix.SIGSTOP, unix.SIGKILL)
	for _, every := range []bool{false, true} {
		w := readWay(t)
		w.every = every
		if got := w.run(t, program).String(); got != want+"status 0x0\n" {
			t.Errorf("every %v: got %s, want %s", every, got, want)
		}
		w.reader.everybody(t)
		records := w.reader.done(t)
		checkRecords(t, records)
		for call, n := range map[string]int{"ptrace": 2, "kill": 4, "tkill": 2, "tgkill": 2, "pidfd_send_signal": 4,
			"rt_sigqueueinfo": 2, "rt_tgsigqueueinfo": 2, "process_vm_writev": 1, "prlimit": 1, "kcmp": 1} {
			if got := count(records, func(r *record) bool { return r.call == call && r.exit }); got < n {
				t.Errorf("every %v: %d records of %s, want %d", every, got, call, n)
			}
		}
		opened := func(r *record) bool {
			return r.exit && r.call == "openat" && regexp.MustCompile(`/proc/\d+/mem`).Match(r.Bytes())
		}
		if count(records, opened) == 0 {
			t.Errorf("every %v: nobody has opened the tracer's memory", every)
		}
	}
	t.Run("not selected", func(t *testing.T) {
		got := runCommand(t, pdigPath, "--ring", ring(t), "-e", "exec", "--", program)
		if got.String() != want+"status 0x0\n" {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		dir := dirOf(t, 65534)
		pdig, program := copyProgram(t, pdigPath, filepath.Join(dir, "pdig")), copyProgram(t, program, filepath.Join(dir, "assail"))
		want := assaults("nobody", unix.ESRCH, unix.ESRCH, unix.SIGSTOP, unix.SIGKILL)
		for _, how := range []string{"auto", "never"} {
			got := start(t, asNobody(pdig, "--ring", filepath.Join(dir, how), "--seccomp", how, "--", program)).wait(t)
			if got.String() != want+"status 0x0\n" {
				t.Errorf("%s: got %s, want %s", how, got, want)
			}
		}
	})
}

// TestAttacherAssailed: the same for one that has attached. It may be killed, as it
// may natively: that does no harm to those that it traces.
func TestAttacherAssailed(t *testing.T) {
	t.Parallel()
	root(t)
	program := fixture(t, "assail")
	t.Run("root", func(t *testing.T) {
		w := readWay(t)
		g := startTarget(t, program, "wait")
		p := w.attach(t, g.pid())
		if got, want := g.finish(t), assaults("root", unix.EPERM, unix.ESRCH, unix.SIGSTOP)+"status 0x0\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if r := p.wait(t); r.String() != "status 0x0\n" {
			t.Errorf("got %s", r)
		}
		if n := count(w.reader.done(t), func(r *record) bool { return r.call == "kill" && r.ret == -int64(unix.EPERM) }); n != 1 {
			t.Errorf("%d refused kills are recorded, want 1", n)
		}
	})
	t.Run("leader of a group", func(t *testing.T) {
		dir := t.TempDir()
		cmd := exec.Command(pdigPath)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		assailed(t, startTarget(t, program, "wait"), cmd, dir, assaults("root", unix.EPERM, unix.EPERM, unix.SIGSTOP))
	})
	t.Run("nobody", func(t *testing.T) {
		dir := dirOf(t, 65534)
		pdig, program := copyProgram(t, pdigPath, filepath.Join(dir, "pdig")), copyProgram(t, program, filepath.Join(dir, "assail"))
		assailed(t, startTargetCmd(t, asNobody(program, "wait")), asNobody(pdig), dir, assaults("nobody", unix.EPERM, unix.ESRCH, unix.SIGSTOP))
	})
}

// assailed has a pdig, with a ring and a log in dir, attach to a target that assails it.
func assailed(t *testing.T, g *target, pdig *exec.Cmd, dir, want string) {
	t.Helper()
	log := filepath.Join(dir, "log")
	pdig.Args = append(pdig.Args, "--ring", filepath.Join(dir, "ring"), "--log-level", "info", "--log-file", log, "-p", strconv.Itoa(g.pid()))
	p := start(t, pdig)
	eventually(t, "it has attached", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), `"attached"`)
	})
	if got, want := g.finish(t), want+"status 0x0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r := p.wait(t); r.String() != "status 0x0\n" {
		t.Errorf("got %s", r)
	}
}

// TestPriorityOfAll: a command that changes the priority of all processes of its user does
// not change that of its tracer, which natively is none of them, where that may take
// it back.
func TestPriorityOfAll(t *testing.T) {
	t.Parallel()
	root(t)
	for _, tool := range []string{"setpriv", "renice", "ionice"} {
		needProgram(t, tool)
	}
	const user = "61235" // nobody else
	as := []string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps", "+sys_nice", "--ambient-caps", "+sys_nice"}
	if r := runCommand(t, append(as, "nice", "-n", "-1", "true")...); r.status != 0 || r.stderr != "" {
		t.Skipf("no CAP_SYS_NICE: %s", r.stderr)
	}
	dir := dirOf(t, 61235)
	pdig := copyProgram(t, pdigPath, filepath.Join(dir, "pdig"))
	script := `tracer=$(awk '$1 == "TracerPid:" { print $2 }' /proc/self/status)
		tell() { for i in /proc/$1/task/*; do echo $(awk '{ print $(NF-33) }' $i/stat) $(ionice -p ${i##*/}); done | sort -u; }
		tell $tracer
		renice -n 7 -u ` + user + ` >/dev/null; ionice -c 3 -u ` + user + `
		tell $tracer; tell $$`
	for _, how := range []string{"auto", "never"} {
		got := runCommand(t, append(as, pdig, "--ring", filepath.Join(dir, how), "--seccomp", how, "-e", "exec", "--", "sh", "-c", script)...)
		lines := strings.Split(got.stdout, "\n")
		if len(lines) != 4 || lines[1] != lines[0] || lines[2] != "7 idle" || got.status != 0 {
			t.Errorf("%s: the tracer before and after, the command after: got %s", how, got)
		}
	}
}

// TestAttacherKilledByTracee: what it traces goes on.
func TestAttacherKilledByTracee(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `echo ready; read pid; kill -9 $pid; read line; echo goes on`)
	g := startTargetCmd(t, cmd)
	w := &way{prefix: ring(t)}
	p := w.attach(t, g.pid())
	if _, err := fmt.Fprintf(g.stdin, "%d\n", p.pid()); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(t); r.status.Signal() != unix.SIGKILL {
		t.Errorf("got %s", r)
	}
	if _, err := io.WriteString(g.stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	if got := g.finish(t); got != "goes on\nstatus 0x0\n" {
		t.Errorf("got %s", got)
	}
}
