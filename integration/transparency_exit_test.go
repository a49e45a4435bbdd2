package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExitStatus(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	compare(t, func(t *testing.T, w *way) string {
		var out strings.Builder
		for _, code := range []string{"0", "1", "2", "3", "77", "124", "125", "126", "127", "128", "129", "137", "254", "255", "256"} {
			fmt.Fprintf(&out, "%s: %s", code, w.run(t, life, "exit", code))
		}
		return out.String()
	})
}

// TestFatalSignals has the command itself end by every signal, with and
// without a core.
func TestFatalSignals(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	dir := t.TempDir()
	compare(t, func(t *testing.T, w *way) string {
		var out strings.Builder
		for sig := 1; sig <= 64; sig++ {
			for _, core := range []bool{false, true} {
				switch {
				case sig == int(unix.SIGSTOP) || sig == int(unix.SIGTSTP) || sig == int(unix.SIGTTIN) || sig == int(unix.SIGTTOU):
					continue // stop
				case core && !dumps(sig):
					continue
				}
				argv := []string{life, "dying", strconv.Itoa(sig)}
				if core {
					argv = append(argv, "core")
				}
				argv = w.command(argv...)
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Dir = dir
				r := start(t, cmd).wait(t)
				fmt.Fprintf(&out, "%d core %v: dumped %v, %s", sig, core, r.status.CoreDump(), r)
			}
		}
		return out.String()
	})
}

// dumps reports whether the default action of sig is a core.
func dumps(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGSYS:
		return true
	}
	return false
}

// TestDeathsOfChildren: what the command hears of its children.
func TestDeathsOfChildren(t *testing.T) {
	t.Parallel()
	life := fixture(t, "life")
	dir := t.TempDir()
	compare(t, func(t *testing.T, w *way) string {
		argv := w.command(life, "deaths")
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		return start(t, cmd).wait(t).String()
	})
}

// TestFromOutside: what a parent sees of a command that others stop, continue
// and end.
func TestFromOutside(t *testing.T) {
	t.Parallel()
	life, threads := fixture(t, "life"), fixture(t, "threads")
	for name, argv := range map[string][]string{"processes": {life, "busy", "2"}, "threads": {threads, "many", "5"}} {
		t.Run(name, func(t *testing.T) {
			compare(t, func(t *testing.T, w *way) string {
				var out strings.Builder
				for _, last := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGQUIT} {
					out.WriteString(ordered(t, w.command(argv...), last))
				}
				return out.String()
			})
		})
	}
}

// ordered sends signals to a command, each when the one before has been seen,
// and returns what wait tells of them.
func ordered(t *testing.T, argv []string, last unix.Signal) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	p, r := startPiped(t, cmd, false)
	defer p.timer.Stop()
	if _, err := io.ReadFull(r, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, sig := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT, unix.SIGTSTP, unix.SIGCONT, unix.SIGTTIN, unix.SIGCONT, unix.SIGSTOP, last} {
		options := unix.WUNTRACED | unix.WCONTINUED
		if err := unix.Kill(p.pid(), sig); err != nil {
			t.Fatal(err)
		}
		if sig == last {
			// The continuation may be over before anybody asks.
			options = 0
			if sig != unix.SIGKILL {
				_ = unix.Kill(p.pid(), unix.SIGCONT)
			}
		}
		if sig == last {
			// As long as nobody has collected it, its group is no other's.
			if err := unix.Waitid(unix.P_PID, p.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
				t.Fatal(err)
			}
			_ = unix.Kill(-p.pid(), unix.SIGKILL) // the children of busy
		}
		var ws unix.WaitStatus
		if _, err := unix.Wait4(p.pid(), &ws, options, nil); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%v: %s\n", sig, told(ws))
	}
	return out.String()
}

func told(ws unix.WaitStatus) string {
	switch {
	case ws.Stopped():
		return "stopped by " + ws.StopSignal().String()
	case ws.Continued():
		return "continued"
	case ws.Signaled():
		return "signal " + ws.Signal().String()
	}
	return fmt.Sprintf("status %d", ws.ExitStatus())
}

// TestNotStarted: the statuses of a command that does not come to be, and of a
// script without a first line.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain", "echo\n", 0o644)
	noInterpreter := write("nointerpreter", "#!/none/sh\n", 0o755)
	script := write("script", "echo \"$0 $1 $#\"; exit 9\n", 0o755)
	garbage := write("garbage", "\x7fELF\x02\x01\x01", 0o755)
	for _, tt := range []struct {
		name string
		argv []string
		code int
	}{
		{"no such command", []string{"--", "no-such-command-anywhere"}, 127},
		{"no such file", []string{"--", dir + "/none"}, 127},
		{"below a file", []string{"--", plain + "/x"}, 126},
		{"no interpreter", []string{"--", noInterpreter}, 127},
		{"not executable", []string{"--", plain}, 126},
		{"directory", []string{"--", dir}, 126},
		{"unknown option", []string{"--no-such-option", "--", "true"}, 125},
		{"no command", nil, 125},
		{"bad set", []string{"-e", "nonsense", "--", "true"}, 125},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(pdigPath, append([]string{"--ring", ring(t)}, tt.argv...)...)
			cmd.Env = []string{"PATH=/usr/bin:/bin"} // without a directory that some may not search
			r := start(t, cmd).wait(t)
			if r.status.ExitStatus() != tt.code || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "pdig: ") {
				t.Errorf("got %s, want status %d and one line", r, tt.code)
			}
		})
	}
	t.Run("script", func(t *testing.T) {
		eachTraced(t, func(t *testing.T, w *way) {
			if got, want := w.run(t, script, "a", "b").String(), script+" a 2\nstatus 0x900\n"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
	t.Run("garbage", func(t *testing.T) {
		eachTraced(t, func(t *testing.T, w *way) {
			if r := w.run(t, garbage); r.status.ExitStatus() == 0 {
				t.Errorf("got %s", r)
			}
		})
	})
}
