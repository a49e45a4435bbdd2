package cmdline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/capture"
)

// writeCapture writes a capture of so many events, of process cat.
func writeCapture(t *testing.T, path string, events int) {
	t.Helper()
	f, err := capture.Create(capture.FilesConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	f.Add(&capture.User{UID: 7, Name: "seven"})
	f.Add(&capture.Process{TID: 1, PID: 1, Comm: "cat", UID: 7})
	f.Add(&capture.FD{TID: 1, Number: 2, Type: capture.FDFile, Name: "/two"})
	for i := range events {
		rec := readRecord(t, i)
		if err := errors.Join(f.Begin(1, rec), f.Event(3, i == 1, rec)); err != nil { // the second is hidden
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// readRecord is a read of a descriptor.
func readRecord(t *testing.T, fd int) []byte {
	t.Helper()
	const readE = 6
	var e event.Encoder
	e.Begin(1700000000000001000, 1, readE, 2)
	e.Int(8, uint64(fd))
	e.Int(4, 80)
	rec, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// clock is what depends on the time zone.
var clock = regexp.MustCompile(`\d\d:\d\d:\d\d`)

// TestReadLog wants the line that sysdig 0.29.3 has for a message to the system log, and
// in today's style the parameters.
func TestReadLog(t *testing.T) {
	const sendE, sendX = 28, 29
	s := newScript()
	s.process(100, "pp")
	s.w.Add(&capture.FD{TID: 100, Number: 3, Type: capture.FDUnix, Name: "/dev/log"})
	size := []byte{13, 0, 0, 0}
	s.event(t, 100, sendE, []byte{3, 0, 0, 0, 0, 0, 0, 0}, size)
	s.event(t, 100, sendX, append(size, 0, 0, 0, 0), []byte("<11>hi\tthere\n"))
	file := s.file(t)
	for want, args := range map[string][]string{
		"< send syslog sev=err msg=hi\\tthere\\n\n":                               nil,
		`"evt.info":"syslog sev=err msg=hi\tthere\n"`:                             {"-j"},
		"< send res=13 data=<11>hi.there. fd=3(<u>/dev/log) size=13 tuple=NULL\n": {"--style", "newest"},
	} {
		var got, stderr bytes.Buffer
		if status := run(append([]string{"-r", file}, args...), nil, &got, &stderr); status != 0 || !strings.Contains(got.String(), want) {
			t.Errorf("%q: status %d, %q, want %q", args, status, &got, want)
		}
	}
}

// TestReadProgram wants the path of a program: that which the capture tells, else, as sysdig
// 0.29.3 has it, the one that was asked for.
func TestReadProgram(t *testing.T) {
	s := newScript()
	s.process(100, "pp")
	for i, line := range []string{
		"100 > execve@292 filename=bin/../sh",
		"100 < execve@293+ res=0 exe=sh comm=sh trusted_exepath=/usr/bin/dash filename=bin/../sh",
		"100 < openat@307 fd=3 dirfd=-100 name=/ flags=1",
		"100 > execve@292 filename=bin/../sh",
		"100 < execve@293 res=0 exe=sh comm=sh",
		"100 < openat@307 fd=3 dirfd=-100 name=/ flags=1",
	} {
		rec, err := testrecord.Line(&s.enc, begins+uint64(i), line)
		if err == nil {
			err = s.w.Event(0, false, rec)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file := s.file(t)
	for style, want := range map[string]string{"sysdig": "/usr/bin/dash [/]\n/srv/sh [/]\n", "newest": "/usr/bin/dash [/]\n [/]\n"} {
		var got, stderr bytes.Buffer
		status := run([]string{"-r", file, "--style", style, "-p", "%proc.exepath [%fd.filename]"}, nil, &got, &stderr)
		if status != 0 || got.String() != want {
			t.Errorf("%s: status %d, %q, want %q", style, status, &got, want)
		}
	}
}

const catLines = "1 T.000001000 3 cat (1) > read fd=0 size=80 \n3 T.000001000 3 cat (1) > read fd=2(<f>/two) size=80 \n"

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.scap")
	writeCapture(t, path, 3)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o666); err != nil {
			t.Fatal(err)
		}
		return p
	}
	const plain, flagged = 56, 60 // bytes of an event's block
	empty := filepath.Join(dir, "empty.scap")
	writeCapture(t, empty, 0)
	hidden := write("hidden", append(bytes.Clone(whole[:len(whole)-2*plain-flagged]), whole[len(whole)-plain-flagged:len(whole)-plain]...))
	for name, row := range map[string]struct {
		file, lines, words string
		status             int
	}{
		"whole":     {path, catLines, "", 0},
		"cut":       {write("cut", whole[:len(whole)-1]), catLines[:strings.Index(catLines, "\n")+1], "offset %d: the file ends within a block", statusFailed},
		"missing":   {filepath.Join(dir, "nosuch"), "", "no such file", statusFailed},
		"foreign":   {write("foreign", []byte("no capture")), "", "offset 0: not a capture file", statusFailed},
		"no events": {empty, "", "no events in file", statusFailed},
		"hidden":    {hidden, "", "", 0},
	} {
		status, stdout, stderr := runWith("-r", row.file)
		if got := clock.ReplaceAllString(stdout, "T"); got != row.lines || status != row.status {
			t.Errorf("%s: got status %d, %q, want %d, %q", name, status, got, row.status, row.lines)
		}
		words := strings.Replace(row.words, "%d", fmt.Sprint(len(whole)-plain), 1)
		if !strings.Contains(stderr, words) || strings.Count(stderr, "sensor: ") != min(row.status, 1) {
			t.Errorf("%s: got %q on stderr, want one line with %q", name, stderr, words)
		}
	}

	if status, stdout, _ := runWith("-r", path, "-n", "1", "-j"); status != 0 || !json.Valid([]byte(stdout)) || strings.Count(stdout, "\n") != 1 {
		t.Errorf("-n 1 -j: got status %d, %q", status, stdout)
	}
	var out, words bytes.Buffer
	if status := run([]string{"-r", "-"}, bytes.NewReader(whole), &out, &words); status != 0 || clock.ReplaceAllString(out.String(), "T") != catLines {
		t.Errorf("stdin: got status %d, %q, %s", status, out.String(), words.String())
	}
}

// TestCorrupt goes on behind a record that is none, and ends with an error.
func TestCorrupt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.scap")
	writeCapture(t, path, 3)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	third := bytes.LastIndex(b, []byte{6, 0, 2, 0, 0, 0, 8, 0, 4, 0}) // type, parameters, lengths
	b[third+6] = 255
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := runWith("-r", path)
	const want = "1 records are no events, the first at offset"
	if status != statusFailed || strings.Count(stdout, "\n") != 1 || !strings.Contains(stderr, want) {
		t.Errorf("got status %d, %q, %q, want %d, one line, %q", status, stdout, stderr, statusFailed, want)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	writeCapture(t, from, 3)
	for _, args := range [][]string{{"-r", from, "-w", to}, {"-r", from, "-z", "-w", to}} {
		if status, stdout, stderr := runWith(args...); status != 0 || stdout != "" {
			t.Errorf("%v: got status %d, %q, %s, want nothing printed", args, status, stdout, stderr)
		}
		if status, stdout, stderr := runWith("-r", to); status != 0 || clock.ReplaceAllString(stdout, "T") != catLines {
			t.Errorf("%v: read again: got status %d, %q, %s", args, status, stdout, stderr)
		}
	}
	if _, stdout, stderr := runWith("-r", from, "-w", to, "-o", "/dev/stdout"); stdout != "" || !strings.Contains(stderr, "an older file is overwritten") {
		t.Errorf("nothing says that a file is overwritten: %q, %q", stdout, stderr)
	}
	if status, stdout, _ := runWith("-r", from, "-w", to, "-j"); status != 0 || strings.Count(stdout, "\n") != 2 {
		t.Errorf("-w -j: got status %d, %q, want two objects", status, stdout)
	}
	if status, _, stderr := runWith("-r", from, "-w", filepath.Join(dir, "nosuch", "f")); status != statusFailed || strings.Count(stderr, "\n") != 1 {
		t.Errorf("no directory: got status %d, %q", status, stderr)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		if status, _, stderr := runWith("-r", from, "-w", "/dev/full"); status != statusFailed || strings.Count(stderr, "no space left") != 1 {
			t.Errorf("full: got status %d, %q", status, stderr)
		}
	}
}

// TestWriteStandard writes a capture to standard output, which is refused where
// something else has it.
func TestWriteStandard(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	writeCapture(t, from, 3)
	for _, args := range [][]string{nil, {"-z"}} {
		status, stdout, stderr := runWith(append([]string{"-r", from, "-w", "-"}, args...)...)
		if status != 0 {
			t.Fatalf("%v: status %d, %s", args, status, stderr)
		}
		var lines, words bytes.Buffer
		if status := run([]string{"-r", "-"}, strings.NewReader(stdout), &lines, &words); status != 0 || clock.ReplaceAllString(lines.String(), "T") != catLines {
			t.Errorf("%v: read again: status %d, %q, %s", args, status, &lines, &words)
		}
	}
	for words, args := range map[string][]string{
		"--file-size makes several": {"-C", "1"},
		"--last makes several":      {"--last", "1M"},
		"give --output":             {"-j"},
		"belongs to the command":    {"--", "true"},
	} {
		status, stdout, stderr := runWith(append([]string{"-w", "-"}, args...)...)
		if status != statusUsage || stdout != "" || !strings.Contains(stderr, words) {
			t.Errorf("%v: status %d, %q, %q, want %q", args, status, stdout, stderr, words)
		}
	}
}

// TestOverwritten has the capture that is read be written under other names.
func TestOverwritten(t *testing.T) {
	dir := t.TempDir()
	from, link, hard := filepath.Join(dir, "from0"), filepath.Join(dir, "link"), filepath.Join(dir, "hard")
	writeCapture(t, from, 3)
	want, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(from, link), os.Link(from, hard)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-w", from}, {"-w", link}, {"-w", hard}, {"-w", dir + "/./from0"}, {"-w", link, "--last", "1M"},
		{"-o", from}, {"-o", link}, {"-w", filepath.Join(dir, "from"), "-C", "1", "-W", "1"},
	} {
		status, _, stderr := runWith(append([]string{"-r", from}, args...)...)
		if status == 0 || !strings.Contains(stderr, "is the file that is read") {
			t.Errorf("%v: got status %d, %q", args, status, stderr)
		}
		if got, err := os.ReadFile(from); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v: the file has %d bytes, %v, want the %d that it had", args, len(got), err, len(want))
		}
	}
}

// TestWriteRing records what comes through a ring.
func TestWriteRing(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "ring")
	path := filepath.Join(t.TempDir(), "f.scap")
	done := make(chan struct{})
	go func() {
		defer close(done)
		write(t, prefix, 5)
	}()
	status, stdout, stderr := runWith("-u", "--ring", prefix, "-n", "5", "-w", path)
	<-done
	if status != 0 || stdout != "" {
		t.Fatalf("got status %d, %q, %s", status, stdout, stderr)
	}
	if status, stdout, stderr := runWith("-r", path); status != 0 || strings.Count(stdout, " > read ") != 5 {
		t.Errorf("read again: got status %d, %q, %s", status, stdout, stderr)
	}
}

// TestWriteFiltered writes what passes a filter, and the list of processes.
func TestWriteFiltered(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	writeCapture(t, from, 5)
	if status, stdout, stderr := runWith("-r", from, "-w", to, "evt.num >= 4"); status != 0 || stdout != "" {
		t.Errorf("got status %d, %q, %s", status, stdout, stderr)
	}
	status, stdout, stderr := runWith("-r", to, "-p", "%evt.num %proc.name %user.uid %fd.num")
	if want := "1 cat 7 3\n2 cat 7 4\n"; status != 0 || stdout != want {
		t.Errorf("read again: got status %d, %q, %s, want %q", status, stdout, stderr, want)
	}
}

// TestWriteLast writes the newest events only.
func TestWriteLast(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	const n = 40000
	writeCapture(t, from, n)
	if status, stdout, stderr := runWith("-r", from, "-w", to, "--last", "1M"); status != 0 || stdout != "" {
		t.Fatalf("got status %d, %q, %s", status, stdout, stderr)
	}
	if st, err := os.Stat(to); err != nil || st.Size() > 1<<20+1<<16 {
		t.Errorf("got %v, %v, want at most 1 MB", st, err)
	}
	status, stdout, stderr := runWith("-r", to)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if status != 0 || len(lines) < 10000 || len(lines) == n || !strings.HasSuffix(lines[len(lines)-1], fmt.Sprintf(" cat (1) > read fd=%d size=80", n-1)) {
		t.Errorf("read again: got status %d, %d events, the last %q, %s", status, len(lines), lines[len(lines)-1], stderr)
	}
}

// TestPipeEnds: who reads the lines has seen enough.
func TestPipeEnds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "capture")
	writeCapture(t, file, 10_000)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	var words bytes.Buffer
	status := run([]string{"-r", file}, strings.NewReader(""), w, &words)
	if status != 0 || strings.Count(words.String(), "\n") != 1 || !strings.HasPrefix(words.String(), "events: ") {
		t.Errorf("status %d, %q", status, words.String())
	}
}
