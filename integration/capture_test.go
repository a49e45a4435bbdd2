package integration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// TestCapture compares what the sensor has printed of a command with what is
// printed of the captures of it: those that the sensor makes and, with sysdig at hand,
// those that sysdig -u makes over pdig, and those that the sensor makes of these.
func TestCapture(t *testing.T) {
	t.Parallel()
	shell := []string{"/bin/sh", "-c", "cd / && cat <etc/passwd >/dev/null; (exec ls -l usr | tr a b) >/dev/null; kill -0 $$; exit 0"}
	for _, program := range []string{"shell", "parity", "oracle-files", "oracle-sockets", "oracle-processes", "oracle-exec"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			ownSharedMemory(t) // first: it hides what is there
			dir := filepath.Join(t.TempDir(), "d")
			command := shell
			if program != "shell" {
				command = []string{fixture(t, program), "336", dir}
			}
			files := t.TempDir()
			path := func(name string) string { return filepath.Join(files, name) }

			workplace(t, dir)
			r := runCommand(t, append([]string{sensorPath, "-A", "-w", path("own"), "-o", path("lines"), "--"}, command...)...)
			if r.status != 0 {
				t.Fatalf("sensor -w -- command: status %#x: %s", r.status, r.stderr)
			}
			want := guessedLines(printed(t, path("lines"), r.stderr))
			sameLines(t, "of the sensor, read by it", want, guessedLines(readCapture(t, sensorPath, path("own"))))
			writtenAgain(t, sensorPath, path("own"))

			sysdig := needSysdig(t)
			sameLines(t, "of the sensor, read by sysdig", want, guessedLines(readCapture(t, sysdig, path("own"))))
			workplace(t, dir)
			sysdigWrites(t, path("sysdig"), command)
			sameLines(t, "of sysdig", readCapture(t, sysdig, path("sysdig")), readCapture(t, sensorPath, path("sysdig")))
			writtenAgain(t, sysdig, path("sysdig"))
		})
	}
}

func guessedLines(lines []string) []string {
	for i, line := range lines {
		lines[i] = guessed(line)
	}
	return lines
}

// writtenAgain wants a reader to print the same of a capture and of what the
// sensor makes of it.
func writtenAgain(t *testing.T, reader, file string) {
	t.Helper()
	again := file + ".again"
	for _, options := range [][]string{nil, {"-z"}} {
		r := runCommand(t, append([]string{sensorPath, "-r", file, "-w", again}, options...)...)
		if r.status != 0 || r.stdout != "" {
			t.Errorf("sensor -r -w: status %#x, %q, %s", r.status, r.stdout, r.stderr)
		}
		sameLines(t, "written again", readCapture(t, reader, file), readCapture(t, reader, again))
		if err := os.Remove(again); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCaptureParts has sysdig read what shows in few captures: the CPU of an
// event, an event that only changes the state, a process of the list.
func TestCaptureParts(t *testing.T) {
	t.Parallel()
	sysdig := needSysdig(t)
	chdir := testrecord.Make(t, 1700000000000000000, 100, syscalls.LookupName("chdir").Enter[0]+1, 0, "/x")
	for _, pack := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "f.scap")
		f, err := capture.Create(capture.FilesConfig{Path: path, Pack: pack})
		if err != nil {
			t.Fatal(err)
		}
		f.Add(&capture.Process{TID: 100, PID: 100, PTID: 1, Comm: "pp", Exe: "pp", ExePath: "/bin/pp", Cwd: "/srv", Root: "/"})
		for _, hidden := range []bool{true, false} {
			if err := errors.Join(f.Begin(1, chdir), f.Event(3, hidden, chdir)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		r := runCommand(t, sysdig, "-r", path, "-p", "*%evt.num %evt.cpu %proc.name %thread.tid %proc.exe %proc.cwd %evt.type")
		if want := "2 3 pp 100 pp /x/ chdir\n"; r.stdout != want || r.status != 0 {
			t.Errorf("pack %t: sysdig printed %s, want %q", pack, r, want)
		}
	}
}

// sysdigWrites has sysdig -u write a capture of a command under pdig.
func sysdigWrites(t *testing.T, file string, command []string) {
	t.Helper()
	s := startSysdigWith(t, "-w", file)
	exited(t, runCommand(t, append([]string{pdigPath, "-e", "all", "--"}, command...)...), 0)
	s.wait("sysdig has read all", func() bool { return descriptor(0, 4) == descriptor(4, 4) })
	s.end(unix.SIGINT)
}

// end ends sysdig by a signal and waits for it.
func (s *sysdig) end(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		s.t.Errorf("sysdig: %v", err)
	}
	close(s.ended)
}

// readCapture returns the lines that a program prints of a capture.
func readCapture(t *testing.T, program, file string) []string {
	t.Helper()
	cmd := exec.Command(program, "-r", file)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s -r: %v", filepath.Base(program), err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// longPath is what sysdig cuts or not, depending on what it has printed before.
var longPath = regexp.MustCompile(` name=\S{1000}`)

// sameLines wants the same lines, in the same order.
func sameLines(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) < 10 {
		t.Errorf("capture %s: only %d lines: %q", what, len(want), want)
	}
	if len(want) != len(got) {
		t.Errorf("capture %s: got %d lines, want %d", what, len(got), len(want))
	}
	bad := 0
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] && !longPath.MatchString(got[i]) {
			t.Errorf("capture %s, line %d: %s", what, i, lineDifference(want[i], got[i]))
			if bad++; bad == 5 {
				return
			}
		}
	}
}
