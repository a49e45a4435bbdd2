package launch

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// oddities are what a hostile parent does before the command starts.
var oddities = []string{
	"+ignore=1", "+ignore=2", "+ignore=3", "+ignore=13", "+ignore=17", "+ignore=20",
	"+block=15", "+block=17", "+block=23", "+pending=10", "+pending=12", "+pending=34",
	"+nofile=77", "+core=4096", "+umask=63", "+alarm=1000",
}

// differs are the fields of /proc/PID/status that no two runs share, and those
// in which tracing shows by its nature.
var differs = []string{
	"Pid", "Tgid", "NStgid", "NSpid", "NSpgid", "TracerPid", "Seccomp", "Seccomp_filters",
	"SigQ", // counts those of all processes of the user
	"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches",
}

func comparable(status string) string {
	var out []string
	for line := range strings.Lines(status) {
		name, _, _ := strings.Cut(line, ":")
		if name == "NoNewPrivs" && os.Geteuid() != 0 {
			continue // TestPrivileges looks at it
		}
		if name == "SigPnd" {
			line = withoutPreemption(line)
		}
		if !slices.Contains(differs, name) && !strings.HasPrefix(name, "Vm") && !strings.HasPrefix(name, "Rss") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// withoutPreemption takes SIGURG out of the pending signals: the launcher is a Go
// program and may or may not have been about to preempt one of its goroutines.
func withoutPreemption(line string) string {
	name, mask, _ := strings.Cut(strings.TrimSpace(line), "\t")
	n, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return line
	}
	return fmt.Sprintf("%s\t%016x\n", name, n&^(1<<(unix.SIGURG-1)))
}

// TestState compares what the kernel says of a process with an odd parent.
func TestState(t *testing.T) {
	for _, command := range [][]string{
		{"/bin/cat", "/proc/self/status"},
		{"/bin/cat", "/proc/self/limits"},
	} {
		native := run(t, slices.Concat([]string{oddBin}, oddities, command)...)
		if native.status != 0 {
			t.Fatalf("natively: %+v", native)
		}
		for _, mode := range modes {
			got := run(t, slices.Concat([]string{oddBin}, oddities, []string{becomeBin, mode}, command)...)
			if diff := cmp.Diff(comparable(native.out), comparable(got.out)); diff != "" || got.status != 0 {
				t.Errorf("%v, %s: status %d, native (-), become (+):\n%s%s", command, mode, got.status, diff, got.stderr)
			}
		}
	}
}

// TestAlarm: a timer that the parent has set ends the command.
func TestAlarm(t *testing.T) {
	r := run(t, oddBin, "+alarm=1", becomeBin, "+filter", "sleep", "15")
	if r.status != 128+int(unix.SIGALRM) {
		t.Errorf("got status %d, %s", r.status, r.stderr)
	}
}

// TestPendingSignal: a signal that is pending arrives when the command unblocks
// it, as the Go runtime does with SIGTERM.
func TestPendingSignal(t *testing.T) {
	native := run(t, oddBin, "+pending=15", probeBin, "wait")
	for _, mode := range modes {
		r := run(t, oddBin, "+pending=15", becomeBin, mode, probeBin, "wait")
		if r.status != native.status || r.status != 128+int(unix.SIGTERM) {
			t.Errorf("%s: got status %d, natively %d; %s", mode, r.status, native.status, r.stderr)
		}
	}
}

func TestParentDeathSignal(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		r := run(t, oddBin, "+pdeathsig=10", becomeBin, mode, probeBin, "pdeathsig")
		if r.out != "pdeathsig 10 <nil>\n" {
			t.Errorf("got %q", r.out)
		}
	})
}

// TestDescriptors compares the descriptors that the command gets, their numbers
// and their positions, with those given; some of them are given up on the way.
func TestDescriptors(t *testing.T) {
	var files []*os.File
	for i := range 4 {
		f, err := os.Create(filepath.Join(t.TempDir(), fmt.Sprint("file", i)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(strings.Repeat("x", i)); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	read := func(args ...string) string {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin, cmd.ExtraFiles = files[0], []*os.File{files[1], nil, nil, nil, files[2], files[3]}
		var lines []string
		for line := range strings.Lines(start(t, cmd)().out) {
			if strings.Contains(line, "/file") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	want := read(probeBin, "fds")
	if strings.Count(want, "\n") != 4 {
		t.Fatalf("natively: %s", want)
	}
	for _, mode := range modes {
		if diff := cmp.Diff(want, read(becomeBin, mode, probeBin, "fds")); diff != "" {
			t.Errorf("%s: native (-), become (+):\n%s", mode, diff)
		}
		got := read(becomeBin, mode, "+close=3", "+close=7", probeBin, "fds")
		if strings.Count(got, "\n") != 2 || strings.Contains(got, "file1") || strings.Contains(got, "file2") {
			t.Errorf("%s: with 3 and 7 closed: %s", mode, got)
		}
	}
	for _, mode := range modes {
		sh := `exec "$0" "$@" <&- 2>&-`
		want := run(t, "sh", "-c", sh, probeBin, "fds").out
		want = strings.Split(want, "pipe")[0]
		got := run(t, "sh", "-c", sh, becomeBin, mode, probeBin, "fds").out
		if got := strings.Split(got, "pipe")[0]; got != want || want == "" {
			t.Errorf("%s: with 0 and 2 closed: got %q, want %q", mode, got, want)
		}
	}
}

// TestLocks: a POSIX lock that the process has taken stays with the command.
func TestLocks(t *testing.T) {
	name := file(t, t.TempDir()+"/locked", "x", 0o600)
	for _, mode := range modes {
		cmd := exec.Command(oddBin, "+lock="+name, becomeBin, mode, "cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stdout = w
		wait := start(t, cmd)
		w.Close()
		echo := make([]byte, 1)
		_, err = in.Write([]byte("x"))
		if _, err2 := io.ReadFull(r, echo); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		lock := unix.Flock_t{Type: unix.F_WRLCK}
		if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if lock.Type != unix.F_WRLCK || int(lock.Pid) != cmd.Process.Pid {
			t.Errorf("%s: lock of type %d by %d, want %d by %d", mode, lock.Type, lock.Pid, unix.F_WRLCK, cmd.Process.Pid)
		}
		in.Close()
		wait()
	}
}

// report is what become tells of itself once the command runs.
type report struct {
	outcome, cwd, cmdline, comm, args string
	fds                               map[string]string
	sid, pid                          int
}

func readReport(t testing.TB, name string) report {
	t.Helper()
	rep := report{fds: map[string]string{}}
	for end := time.Now().Add(limit); rep.pid == 0; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(name)
		if err != nil || time.Now().After(end) {
			t.Fatalf("no report: %v, %q", err, b)
		}
		if !strings.Contains(string(b), "\npid ") || !strings.HasSuffix(string(b), "\n") {
			continue
		}
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			switch key {
			case "fd":
				number, target, _ := strings.Cut(value, " ")
				rep.fds[number] = target
			case "cwd":
				rep.cwd = value
			case "cmdline":
				rep.cmdline = value
			case "comm":
				rep.comm = value
			case "args":
				rep.args = value
			case "sid":
				if _, err := fmt.Sscan(value, &rep.sid); err != nil {
					t.Fatal(err)
				}
			case "pid":
				if _, err := fmt.Sscan(value, &rep.pid); err != nil {
					t.Fatal(err)
				}
			default:
				rep.outcome = line
			}
		}
	}
	return rep
}

// TestRelease: the tracer has nothing of the command's once that runs, and its
// signals do not matter.
func TestRelease(t *testing.T) {
	dir := t.TempDir()
	inherited, err := os.Create(dir + "/inherited")
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	for _, stderr := range []bool{false, true} {
		rep := filepath.Join(dir, fmt.Sprint("report", stderr))
		args := []string{"+listener", "+report=" + rep, "sh", "-c", "exec >&- 2>&-; read line; exit 8"}
		if stderr {
			args = slices.Insert(args, 0, "+stderr")
		}
		cmd := exec.Command(becomeBin, args...)
		cmd.ExtraFiles = []*os.File{inherited, nil, inherited}
		cmd.Dir = dir
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stdout = w
		wait := start(t, cmd)
		w.Close()
		// The reader of its output sees that the command has closed it.
		if b, err := io.ReadAll(r); err != nil || len(b) != 0 {
			t.Errorf("read %q, %v", b, err)
		}
		got := readReport(t, rep)
		for fd, target := range got.fds {
			if strings.HasPrefix(target, inherited.Name()) || strings.HasPrefix(target, "pipe:") && fd != "2" {
				t.Errorf("descriptor %s is still %s", fd, target)
			}
		}
		for _, fd := range []string{"0", "1", "2"} {
			if kept := fd == "2" && stderr; (got.fds[fd] == "/dev/null") == kept {
				t.Errorf("descriptor %s is %s", fd, got.fds[fd])
			}
		}
		if got.cwd != "/" || got.cmdline != `"pdig"` || got.comm != "pdig" {
			t.Errorf("cwd %s, cmdline %s, comm %s", got.cwd, got.cmdline, got.comm)
		}
		if got.sid != got.pid {
			t.Errorf("tracer %d is in session %d", got.pid, got.sid)
		}
		if want := fmt.Sprintf("%q", cmd.Args); got.args != want {
			t.Errorf("os.Args are %s, want %s", got.args, want)
		}
		if got.outcome != "nnp=false filter=<nil> listener=true err=<nil>\n" && os.Getuid() == 0 {
			t.Errorf("outcome %s", got.outcome)
		}
		for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGXCPU, unix.SIGXFSZ} {
			if err := unix.Kill(got.pid, sig); err != nil {
				t.Errorf("signal %v: %v", sig, err)
			}
		}
		in.Close()
		if r := wait(); r.status != 8 {
			t.Errorf("got status %d, %s", r.status, r.stderr)
		}
		ended(t, got.pid)
	}
}

// ended waits for the tracer, which has been left to this process, and wants it
// to have ended well.
func ended(t *testing.T, pid int) {
	t.Helper()
	var ws unix.WaitStatus
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		got, err := unix.Wait4(pid, &ws, unix.WNOHANG|unix.WALL, nil)
		switch {
		case err != nil || time.Now().After(end):
			t.Fatalf("tracer %d: %v", pid, err)
		case got == pid:
			if !ws.Exited() || ws.ExitStatus() != 0 {
				t.Errorf("tracer %d ended with %#x", pid, int(ws))
			}
			return
		}
	}
}

// TestPrivileges: without privileges no_new_privs is set, and with them not.
// Either way the command cannot put a listener in front of our filter.
func TestPrivileges(t *testing.T) {
	for _, user := range []bool{false, true} {
		dir := t.TempDir()
		for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		for _, mode := range []string{"+filter", "+listener"} {
			rep := filepath.Join(dir, mode)
			cmd := exec.Command(becomeBin, mode, "+report="+rep, "sh", "-c", "grep NoNewPrivs /proc/self/status; "+probeBin+" listen")
			privileged := os.Getuid() == 0
			if user {
				if privileged {
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				}
				privileged = false
			}
			r := start(t, cmd)()
			got := readReport(t, rep)
			nnp, listen := "0", "granted"
			if !privileged {
				nnp = "1"
			}
			if mode == "+listener" {
				listen = "device or resource busy"
			}
			if want := "NoNewPrivs:\t" + nnp + "\nlisten " + listen + "\n"; r.out != want {
				t.Errorf("privileged %v, %s: got %q, want %q; %s", privileged, mode, r.out, want, r.stderr)
			}
			if want := fmt.Sprintf("nnp=%v filter=<nil> listener=%v ", !privileged, mode == "+listener"); !strings.HasPrefix(got.outcome, want) {
				t.Errorf("privileged %v, %s: outcome %q, want %q", privileged, mode, got.outcome, want)
			}
		}
	}
}

// TestNoListener: where the descriptor cannot come over, the filter goes in
// without it and the tracer knows why.
func TestNoListener(t *testing.T) {
	for _, tt := range []struct {
		name string
		odd  string
		err  string
	}{
		{"no more descriptors", "+nofile=3", "socket: too many open files"},
		{"no sockets", fmt.Sprintf("+refuse=%d,0,%d", unix.SYS_SOCKET, unix.AF_UNIX), "socket: operation not permitted"},
		{"no message", fmt.Sprintf("+refuse=%d,2,%d", unix.SYS_SENDMSG, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), "sendmsg: operation not permitted"},
		{"somebody listens", fmt.Sprintf("+refuse=%d,1,%d", unix.SYS_SECCOMP, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER), "seccomp: the kernel gave no listener"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rep := filepath.Join(t.TempDir(), "report")
			r := run(t, oddBin, tt.odd, becomeBin, "+listener", "+report="+rep, probeBin, "wait")
			if r.status != 0 || r.out != "wait no child processes\n" {
				t.Errorf("got status %d, %q, %s", r.status, r.out, r.stderr)
			}
			if got, want := readReport(t, rep).outcome, "filter=<nil> listener=false err="+tt.err+"\n"; !strings.HasSuffix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestStopped: a process that is stopped while it waits goes on as a stopped
// one does.
func TestStopped(t *testing.T) {
	cmd := exec.Command(becomeBin, "+filter", "+die=slow", "echo", "awake")
	wait := start(t, cmd)
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(400 * time.Millisecond) // become does all it has to do meanwhile
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil || !strings.Contains(string(stat), ") t ") && !strings.Contains(string(stat), ") T ") {
		t.Errorf("not stopped: %s, %v", stat, err)
	}
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if r := wait(); r.status != 0 || r.out != "awake\n" {
		t.Errorf("got status %d, %q, %s", r.status, r.out, r.stderr)
	}
}
