package launch

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	notExecutable := file(t, dir+"/plain", "echo\n", 0o644)
	noInterpreter := file(t, dir+"/nointerp", "#!/nonexistent/sh\n", 0o755)
	eachMode(t, func(t *testing.T, mode string) {
		for _, tt := range []struct {
			name    string
			command []string
			status  int
			out     string
			stderr  string
		}{
			{"true", []string{"true"}, 0, "", ""},
			{"output", []string{"echo", "a", "b"}, 0, "a b\n", ""},
			{"status", []string{"sh", "-c", "exit 3"}, 3, "", ""},
			{"signal", []string{"sh", "-c", "kill -KILL $$"}, 137, "", ""},
			{"trapped signal", []string{"sh", "-c", "trap 'exit 5' TERM; kill $$; exit 6"}, 5, "", ""},
			{"children", []string{"sh", "-c", "(exit 4); echo $?; sh -c 'echo in' | cat"}, 0, "4\nin\n", ""},
			{"not found", []string{"no-such-command"}, 127, "", "become: no-such-command: no such file or directory\n"},
			{"no file", []string{dir + "/none"}, 127, "", "become: " + dir + "/none: no such file or directory\n"},
			{"below a file", []string{notExecutable + "/x"}, 126, "", "become: " + notExecutable + "/x: not a directory\n"},
			{"empty name", []string{""}, 127, "", "become: : no such file or directory\n"},
			{"not executable", []string{notExecutable}, 126, "", "become: " + notExecutable + ": permission denied\n"},
			{"directory", []string{dir}, 126, "", "become: " + dir + ": permission denied\n"},
			{"no interpreter", []string{noInterpreter}, 127, "", "become: " + noInterpreter + ": no such file or directory\n"},
			{"no command", nil, 125, "", "become: no command\n"},
			{"usage", []string{"+bad", "true"}, 125, "", "become: unknown option bad\n"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				r := run(t, append([]string{becomeBin, mode}, tt.command...)...)
				if r.status != tt.status || r.out != tt.out || r.stderr != tt.stderr {
					t.Errorf("got status %d, %q, %q, want %d, %q, %q", r.status, r.out, r.stderr, tt.status, tt.out, tt.stderr)
				}
			})
		}
	})
}

// TestExecvp compares the search for a command, and what happens to files that
// execve refuses, with env(1), which calls execvp.
func TestExecvp(t *testing.T) {
	env, err := exec.LookPath("env")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unknown := "echo shell $0 \"$@\" $#\n" // no interpreter line: ENOEXEC
	file(t, dir+"/1/tool", "#!/nonexistent/sh\n", 0o755)
	file(t, dir+"/1/denied", "x", 0o644)
	file(t, dir+"/1/both", "x", 0o644)
	file(t, dir+"/1/gone", "#!/nonexistent/sh\n", 0o755)
	file(t, dir+"/1/deniedgone", "x", 0o644)
	file(t, dir+"/2/tool", unknown, 0o755)
	file(t, dir+"/2/both", "#!/bin/sh\necho both $0 $*\n", 0o755)
	file(t, dir+"/2/deniedgone", "#!/nonexistent/sh\n", 0o755)
	file(t, dir+"/2/empty", "", 0o755)
	file(t, dir+"/2/cut", "\x7fELF\x02\x01\x01", 0o755)
	file(t, dir+"/here", unknown, 0o755)
	if err := os.Mkdir(dir+"/1/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	path := "/nonexistent:" + dir + "/1:" + dir + "/1/denied:" + dir + "/2"
	for _, tt := range []struct {
		path string
		argv []string
	}{
		{path, []string{"tool", "a", "", "b c"}},
		{path, []string{"tool"}},
		{path, []string{"denied"}},
		{path, []string{"both", "x"}},
		{path, []string{"gone"}},
		{path, []string{"deniedgone"}},
		{path, []string{"empty"}},
		{path, []string{"cut"}},
		{path, []string{"sub"}},
		{path, []string{"missing"}},
		{path, []string{"here"}},
		{path + ":", []string{"here", "1"}},
		{":" + path, []string{"here", "1"}},
		{path + "::/", []string{"here", "1"}},
		{"", []string{"here", "1"}},
		{path, []string{"./here", "2"}},
		{path, []string{dir + "/1"}},
		{path, []string{dir + "/2/tool", "3", "4"}},
		{path, []string{strings.Repeat("n", 300)}},
		{strings.Repeat("d", 5000) + ":" + path, []string{"both"}},
		{"unset", []string{"echo", "default"}},
		{"unset", []string{"both"}},
	} {
		name := tt.argv[0]
		if len(name) > 20 {
			name = name[:8] + "..."
		}
		t.Run(name, func(t *testing.T) {
			for _, mode := range modes {
				command := func(bin string, first ...string) *exec.Cmd {
					cmd := exec.Command(bin, append(first, tt.argv...)...)
					cmd.Dir, cmd.Env = dir, []string{"PATH=" + tt.path}
					if tt.path == "unset" {
						cmd.Env = []string{"NOPATH=1"}
					}
					return cmd
				}
				want := start(t, command(env))()
				got := start(t, command(becomeBin, mode))()
				if got.status != want.status || got.out != want.out {
					t.Errorf("%s: got status %d, %q, want %d, %q as with execvp\n%s%s", mode, got.status, got.out, want.status, want.out, got.stderr, want.stderr)
				}
			}
		})
	}
}

// TestBytes compares arguments and environment, byte by byte.
func TestBytes(t *testing.T) {
	environment := []string{"A=1", "", "A=2", "no equals sign", "=", "B=\xff\xfe\n", "A=1", ""}
	args := []string{probeBin, "args,env", "", "\xff\x01", "", "x y", "+not=ours", "--", ""}
	read := func(argv []string) string {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		// exec.Cmd would leave out duplicates.
		p, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Env: environment, Files: []*os.File{nil, w, os.Stderr}})
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Wait()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := read(args)
	if !strings.Contains(want, `\x00A=1\x00\x00"`) {
		t.Fatalf("natively the environment is %s", want)
	}
	plain := filepath.Join(binDir, "plain")
	if err := goBuild(plain, "become"); err != nil {
		t.Fatal(err)
	}
	for _, bin := range []string{becomeBin, plain} {
		for _, mode := range modes {
			if got := read(append([]string{bin, mode}, args...)); got != want {
				t.Errorf("%s %s:\ngot  %s\nwant %s", filepath.Base(bin), mode, got, want)
			}
		}
	}
}

// TestManyArguments has a file without interpreter line get more arguments than
// the region could hold.
func TestManyArguments(t *testing.T) {
	script := file(t, t.TempDir()+"/count", "echo $# $1 $9999\n", 0o755)
	args := []string{becomeBin, "+filter", script}
	for i := range 60000 {
		args = append(args, fmt.Sprint(i))
	}
	if r := run(t, args...); r.status != 0 || !strings.HasPrefix(r.out, "60000 0 ") {
		t.Errorf("got status %d, %.40q %s", r.status, r.out, r.stderr)
	}
}

// TestIdentity compares the ids with those that the caller gave.
func TestIdentity(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		cmd := exec.Command(becomeBin, mode, probeBin, "ids")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		r := start(t, cmd)()
		if want := fmt.Sprintf("pid %[1]d ppid %[2]d pgid %[1]d sid %[1]d\n", r.pid, os.Getpid()); r.out != want {
			t.Errorf("got %q, want %q", r.out, want)
		}
		r = run(t, becomeBin, mode, probeBin, "ids")
		sid, _ := unix.Getsid(0)
		if want := fmt.Sprintf("pid %d ppid %d pgid %d sid %d\n", r.pid, os.Getpid(), unix.Getpgrp(), sid); r.out != want {
			t.Errorf("got %q, want %q", r.out, want)
		}
	})
}

// TestChildren: the command sees the children that it has inherited or made,
// and no other.
func TestChildren(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		if r := run(t, becomeBin, mode, probeBin, "wait"); r.out != "wait no child processes\n" {
			t.Errorf("got %q", r.out)
		}
		r := run(t, "sh", "-c", `(sleep 0.2; exit 9) & exec "$0" "$@"`, becomeBin, mode, probeBin, "wait")
		if r.out != "wait status 9\nwait no child processes\n" {
			t.Errorf("with a child: got %q", r.out)
		}
	})
}

// TestPID1 runs the command as the first process of a pid namespace.
func TestPID1(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		command := func(flags uintptr, args ...string) *exec.Cmd {
			cmd := exec.Command(becomeBin, append([]string{mode}, args...)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
			return cmd
		}
		r := start(t, command(unix.CLONE_NEWPID, "sh", "-c", `echo $$; (exit 4); echo $?; `+probeBin+` wait; exit 6`))()
		if r.status != 6 || r.out != "1\n4\nwait no child processes\n" {
			t.Errorf("got status %d, %q, %s", r.status, r.out, r.stderr)
		}
		r = start(t, command(unix.CLONE_NEWPID, probeBin, "ids,wait"))()
		if !strings.HasPrefix(r.out, "pid 1 ppid 0 ") || !strings.HasSuffix(r.out, "wait no child processes\n") {
			t.Errorf("got %q", r.out)
		}
		r = start(t, command(unix.CLONE_NEWPID, "no-such-command"))()
		if r.status != 127 {
			t.Errorf("not found: got status %d, %s", r.status, r.stderr)
		}
	})
}

// TestChildNamespace: with a pid namespace for children only, which unshare -p
// gives, the tracer would be in another one than the command.
func TestChildNamespace(t *testing.T) {
	cmd := exec.Command(becomeBin, "+filter", "true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWPID}
	r := start(t, cmd)()
	if r.status != 125 || !strings.Contains(r.stderr, "pid namespace of its own") {
		t.Errorf("got status %d, %q", r.status, r.stderr)
	}
}

// TestFailures are all that can go wrong before the command runs.
func TestFailures(t *testing.T) {
	refuse := func(nr, arg, value int) []string {
		return []string{oddBin, fmt.Sprintf("+refuse=%d,%d,%d", nr, arg, value), becomeBin}
	}
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"tracer killed at once", []string{becomeBin, "+die=early"}, 125, tracerLost},
		{"seize refused", []string{becomeBin, "+die=seize"}, 125, "become: seize: input/output error\n"},
		{"tracer killed after the seize", []string{becomeBin, "+die=seized"}, 137, ""},
		{"slow tracer", []string{becomeBin, "+filter", "+die=slow"}, 0, ""},
		{"no region", refuse(unix.SYS_MMAP, 1, regionSize), 125, mapRefused},
		{"no tracer", refuse(unix.SYS_CLONE, 0, 0), 125, cloneRefused},
		{"no filter", append(refuse(unix.SYS_SECCOMP, 0, unix.SECCOMP_SET_MODE_FILTER), "+filter"), 125, "become: seccomp: operation not permitted\n"},
		{"no filter with listener", append(refuse(unix.SYS_SECCOMP, 0, unix.SECCOMP_SET_MODE_FILTER), "+listener"), 125, "become: seccomp: operation not permitted\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin := time.Now()
			r := run(t, append(tt.args, "true")...)
			if r.status != tt.status || r.stderr != tt.stderr {
				t.Errorf("got status %d, %q, want %d, %q", r.status, r.stderr, tt.status, tt.stderr)
			}
			if took := time.Since(begin); took > time.Second && tt.status != 0 {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestExit(t *testing.T) {
	r := run(t, becomeBin, "+exit=42", "true")
	if r.status != 42 || r.out != "last words\n" {
		t.Errorf("got status %d, %q", r.status, r.out)
	}
}

// TestResume has the original process go on as the Go program: it gets the
// signal, and the tracer is gone.
func TestResume(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(becomeBin, "+resume", "a", "")
	cmd.Stdout = w
	wait := start(t, cmd)
	w.Close()
	b := make([]byte, 100)
	n, err := r.Read(b)
	if want := fmt.Sprintf("resumed %d +resume a \n", cmd.Process.Pid); err != nil || string(b[:n]) != want {
		t.Errorf("got %q, %v, want %q", b[:n], err, want)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", cmd.Process.Pid))
	if err == nil && len(children) != 0 {
		t.Errorf("children %s", children)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := wait(); got.status != 7 {
		t.Errorf("got status %d, %q", got.status, got.stderr)
	}
}

// TestGVisor: a kernel in which a filter does not serve a tracer is told from others.
func TestGVisor(t *testing.T) {
	for _, row := range []struct {
		release, version string
		want             bool
	}{
		{"4.19.0-gvisor", "#1 SMP Sun Jan 10 15:06:54 PST 2016", true},
		{"4.19.0-gvisor", "#1", true},
		{"4.4.0", "#1 SMP Sun Jan 10 15:06:54 PST 2016", true},
		{"4.19.0", "#1 SMP Debian 4.19.1", false},
	} {
		if got := isGVisor(row.release, row.version); got != row.want {
			t.Errorf("%s, %s: got %v", row.release, row.version, got)
		}
	}
}
