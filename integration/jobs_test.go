package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is the master side of a pty with a program on the other side, and
// everything that the program has printed so far.
type terminal struct {
	t       *testing.T
	master  *os.File
	fd      int // of it
	process *process

	mu   sync.Mutex
	text strings.Builder
	from int // what was before is expected no more
	over bool
}

// openTerminal starts a command as the leader of a session on a pty.
func openTerminal(t *testing.T, env []string, argv ...string) *terminal {
	t.Helper()
	// It does not block, so that it can be closed under its reader.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 500}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PS1=ready> ", "TERM=dumb", "HISTFILE=", "LC_ALL=C"}, env...)
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	term := &terminal{t: t, master: master, fd: fd, process: start(t, cmd)}
	t.Cleanup(func() { master.Close() })
	go term.read()
	return term
}

func (m *terminal) read() {
	b := make([]byte, 4096)
	for {
		n, err := m.master.Read(b)
		m.mu.Lock()
		m.text.Write(b[:n])
		m.over = err != nil // EIO when nobody has the other side any more
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// expect waits for text behind what was expected before.
func (m *terminal) expect(text string) {
	m.t.Helper()
	for end := time.Now().Add(patience / 2); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		at := strings.Index(m.text.String()[m.from:], text)
		if at >= 0 {
			m.from += at + len(text)
		}
		over := m.over
		m.mu.Unlock()
		switch {
		case at >= 0:
			return
		case over || time.Now().After(end):
			m.t.Fatalf("no %q behind: %s\n%s", text, m.transcript(), describeAll(m.process.pid()))
		}
	}
}

func (m *terminal) send(text string) {
	m.t.Helper()
	if _, err := m.master.WriteString(text); err != nil {
		m.t.Fatal(err)
	}
}

// line types a line at the prompt and waits for the next prompt.
func (m *terminal) line(text string) {
	m.t.Helper()
	m.send(text + "\n")
	m.expect("\n") // the echo
	m.expect("ready> ")
}

// group is the process group in the foreground.
func (m *terminal) group() (int, error) { return unix.IoctlGetInt(m.fd, unix.TIOCGPGRP) }

// foreground types a line whose programs, of these names, stay in the
// foreground, and waits until all of them are there and wait themselves.
func (m *terminal) foreground(text string, names ...string) {
	m.t.Helper()
	m.send(text + "\n")
	m.expect("\n")
	if strings.HasPrefix(text, "fg") {
		m.expect("\n") // the job's name, which a ^C would throw away with all that was not read yet
	}
	eventually(m.t, strings.Join(names, ", ")+" in the foreground behind: "+m.transcript(), func() bool {
		group, err := m.group()
		return err == nil && slices.Equal(m.waiting(group), names)
	})
}

// waiting are the names of the programs of a process group that wait.
func (m *terminal) waiting(group int) (names []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range processes {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if of, err := unix.Getpgid(pid); err != nil || of != group || !m.asleep(pid) {
			continue
		}
		if comm, err := os.ReadFile(dir + "/comm"); err == nil {
			names = append(names, strings.TrimSpace(string(comm)))
		}
	}
	slices.Sort(names)
	return names
}

// asleep reports whether a process waits in a call of its own: a tracee stops
// too, and so does a program that is just being loaded.
func (m *terminal) asleep(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	if errors.Is(err, os.ErrPermission) {
		m.t.Skip("needs CAP_SYS_PTRACE to see what a process waits in")
	}
	state := statusField(pid, "State")
	return err == nil && strings.HasPrefix(state, "S") && !strings.HasPrefix(string(text), "running")
}

// end waits for the end of the program.
func (m *terminal) end() string {
	m.t.Helper()
	r := m.process.wait(m.t)
	eventually(m.t, "the end of the output", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.over
	})
	return fmt.Sprintf("%s\nstatus %#x", m.transcript(), uint32(r.status))
}

// numbers are pids in what bash prints.
var numbers = regexp.MustCompile(`\b\d{2,}\b`)

// all is what has been written so far.
func (m *terminal) all() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

// transcript is all that was printed, without the pids.
func (m *terminal) transcript() string {
	return numbers.ReplaceAllStringFunc(m.all(), func(s string) string {
		if len(s) >= 4 || s[0] != '1' { // but for statuses and the arguments of sleep
			return "PID"
		}
		return s
	})
}

// session is what somebody types who uses all that a shell has for jobs. run
// stands before every command.
func session(m *terminal, run string) {
	m.expect("ready> ")
	m.line("PS2=; unset HISTFILE; set +o history")

	// Stop, list, let go on behind and in front, end.
	m.foreground(run+"sleep 100", "sleep")
	m.send("\x1a")
	m.expect("ready> ")
	m.line("jobs")
	m.line("bg")
	m.line("jobs")
	m.foreground("fg", "sleep")
	m.send("\x03")
	m.expect("ready> ")
	m.line("echo $?")
	m.foreground(run+"sleep 101", "sleep")
	m.send("\x1c")
	m.expect("ready> ")
	m.line("echo $?; ulimit -c 0")

	// Several times in a row, and with the numbers of jobs.
	m.foreground(run+"sleep 102", "sleep")
	m.send("\x1a")
	m.expect("ready> ")
	for range 3 {
		m.foreground("fg %1", "sleep")
		m.send("\x1a")
		m.expect("ready> ")
	}
	m.line(run + "sleep 103 &")
	m.line("jobs")
	m.line("kill %2; wait %2; echo $?")
	m.line("p=$(jobs -p %1); kill %1; while kill -0 $p; do :; done 2> f; jobs > f; grep -c . f")
	m.line("jobs")

	// A pipeline stops as a whole.
	m.foreground(run+"sleep 104 | cat", "cat", "sleep")
	m.send("\x1a")
	m.expect("ready> ")
	m.line("jobs")
	m.foreground("fg", "cat", "sleep")
	m.send("\x03")
	m.expect("ready> ")
	m.line("echo ${PIPESTATUS[@]}")

	// Who reads the terminal from behind is stopped, and reads in front.
	m.line(run + "cat & jobs -s > f; until [ -s f ]; do jobs -s > f; done; cut -c 1-20 f")
	m.foreground("fg", "cat")
	m.send("typed\n")
	m.expect("typed")
	m.expect("typed")
	m.send("\x04")
	m.expect("ready> ")

	// A program that stops itself, one that handles what it gets, a shell
	// within the shell, and what a shell knows of ends.
	m.line(run + "sh -c 'kill -STOP $$; exit 4'")
	m.line("fg; echo $?")
	m.line(run + "sh -c 'trap \"echo interrupted; exit 5\" INT; kill -INT $$; exit 6'; echo $?")
	m.line(run + "sh -c 'exit 7' & wait $!; echo $?")
	m.line("(exit 3) | " + run + "sh -c 'exit 8' | true; echo ${PIPESTATUS[@]}")
	m.line("trap 'echo usr1' USR1; kill -USR1 $$; " + run + "true")
	m.send(run + "bash --norc -i\n")
	m.expect("ready> ")
	m.foreground("sleep 105", "sleep") // traced already, if the shell is
	m.send("\x1a")
	m.expect("ready> ")
	m.line("p=$(jobs -p %1); kill -KILL %1; while kill -0 $p; do :; done 2> f; jobs > f; grep -c . f")
	m.line("exit 9")
	m.line("echo $?")
	m.send("exit 11\n")
}

// TestInteractiveShell runs the shell itself under pdig.
func TestInteractiveShell(t *testing.T) {
	t.Parallel()
	bash := needBash(t)
	compare(t, func(t *testing.T, w *way) string {
		m := openTerminal(t, nil, w.command(bash, "--norc", "--noediting", "-i")...)
		session(m, "")
		return m.end()
	})
}

// TestJobsOfShell runs what the shell starts under pdig.
func TestJobsOfShell(t *testing.T) {
	t.Parallel()
	bash := needBash(t)
	compare(t, func(t *testing.T, w *way) string {
		m := openTerminal(t, []string{"RUN=" + strings.Join(w.command(), " ")}, bash, "--norc", "--noediting", "-i")
		session(m, "$RUN ")
		return m.end()
	})
}

// TestHangUp: a terminal that goes away takes the shell and its job along.
func TestHangUp(t *testing.T) {
	t.Parallel()
	bash := needBash(t)
	compare(t, func(t *testing.T, w *way) string {
		m := openTerminal(t, nil, w.command(bash, "--norc", "--noediting", "-i")...)
		m.expect("ready> ")
		m.foreground("sleep 100", "sleep")
		group, err := m.group()
		if err != nil {
			t.Fatal(err)
		}
		m.master.Close()
		r := m.process.wait(t)
		eventually(t, "the end of the job", func() bool { return gone(group) })
		return fmt.Sprintf("status %#x", uint32(r.status))
	})
}

func needBash(t *testing.T) string {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	return bash
}
