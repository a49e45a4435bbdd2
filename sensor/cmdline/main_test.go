package cmdline

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
)

var update = flag.Bool("update", false, "write the golden files and the options in docs/sensor.md")

// dieEnv makes the test binary end like a sensor whose command was ended by
// that signal.
const dieEnv = "SENSOR_TEST_DIE"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(dieEnv)); err == nil {
		os.Exit(die(unix.Signal(n)))
	}
	if err := unignore(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// unignore gives the signals that were ignored at the start (nohup, the
// background of a script) their default action, and begins anew: the runtime
// has taken note of them.
func unignore() error {
	ignored := false
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT} {
		if signal.Ignored(sig) {
			ignored = true
			if err := sys.DefaultAction(sig); err != nil {
				return err
			}
		}
	}
	if !ignored {
		return nil
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// run runs the program sensor.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return Host{}.run(args, stdin, stdout, stderr)
}

// runWith runs the program and returns what it leaves.
func runWith(args ...string) (status int, stdout, stderr string) {
	var out, words bytes.Buffer
	status = run(args, strings.NewReader("input\n"), &out, &words)
	return status, out.String(), words.String()
}

// TestUsage runs every line of a file and wants one line for it on stderr.
func TestUsage(t *testing.T) {
	const path = "testdata/usage.txt"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		status, stdout, stderr := runWith(strings.Fields(line)...)
		if status != statusUsage || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: got status %d, stdout %q, stderr %q, want %d and one line", line, status, stdout, stderr, statusUsage)
		}
		fmt.Fprintf(&got, "%s\t%s", line, stderr)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(b), got.String()); diff != "" && !*update {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRefused wants a filter or format that is refused shown with a caret.
func TestRefused(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"proc.nam=cat"}, "sensor: filter: 1:1: unknown field \"proc.nam\": is proc.name meant?\n  proc.nam=cat\n  ^\n"},
		{[]string{"evt.type=open", "and", "(", "fd.num=1", "--", "ls"}, "sensor: filter: 1:29: expected \")\"\n  evt.type=open and ( fd.num=1\n                              ^\n"},
		{[]string{"evt.rawres", "<", "-1", "evt.type=open"}, "sensor: filter: 1:17: expected \"and\" or \"or\"\n  evt.rawres < -1 evt.type=open\n                  ^\n"},
		{[]string{"ls", "-l"}, "sensor: filter: 1:1: \"ls\" is neither a field with a dot in its name nor a macro that is known here\n  ls\n  ^\n  a command stands behind --\n"},
		{[]string{"ls", "--color"}, "sensor: filter: 1:1: \"ls\" is neither a field with a dot in its name nor a macro that is known here\n  ls\n  ^\n  a command stands behind --\n"},
		{[]string{"--ebpf", "/probe.o"}, "sensor: filter: 1:1: expected a field, \"not\", \"(\" or the name of a macro\n  /probe.o\n  ^\n  a probe is named by --ebpf=FILE\n"},
		{[]string{"-p", "%evt.num %evt.typ"}, "sensor: --format: 1:10: unknown field \"evt.typ\": is evt.type meant?\n  %evt.num %evt.typ\n           ^\n"},
		{[]string{"-p", "%", "--", "ls"}, "sensor: --format: 1:1: no field behind the %\n  %\n  ^\n"},
	} {
		status, stdout, stderr := runWith(row.args...)
		if status != statusRefused || stdout != "" || stderr != row.want {
			t.Errorf("%q: status %d, stdout %q, stderr\n%s\nwant %d and\n%s", row.args, status, stdout, stderr, statusRefused, row.want)
		}
	}
}

// TestLists wants fields and events listed.
func TestLists(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
		not  string
	}{
		{[]string{"-l"}, "\nevt.outputtime ", "span."},
		{[]string{"-l=user"}, "\nuser.name ", "proc.name "},
		{[]string{"--list=evt"}, "\nevt.arg.NAME ", "proc.name "},
		{[]string{"-L"}, "\n> close(FD fd)\n", "procinfo"},
	} {
		status, stdout, stderr := runWith(row.args...)
		if status != 0 || stderr != "" || !strings.Contains(stdout, row.want) || strings.Contains(stdout, row.not) {
			t.Errorf("%q: status %d, stderr %q, stdout\n%s", row.args, status, stderr, stdout)
		}
	}
}

// TestDocs wants the documentation to say what --help says.
func TestDocs(t *testing.T) {
	const path = "../../docs/sensor.md"
	const begin, end = "```text\nusage: ", "```\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	status, help, _ := runWith("--help")
	if status != 0 {
		t.Fatalf("--help: got status %d, want 0", status)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no block that begins with %q", path, begin)
	}
	want := before + "```text\n" + help + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, string(doc)); diff != "" {
		t.Errorf("not up to date: run the test with -update (-help +docs)\n%s", diff)
	}
}

func TestVersion(t *testing.T) {
	status, stdout, stderr := runWith("--version")
	if want := "sensor " + cli.Version + "\n"; status != 0 || stdout != want || stderr != "" {
		t.Errorf("got status %d, stdout %q, stderr %q, want %q", status, stdout, stderr, want)
	}
}

// write puts events into a ring as soon as somebody reads it.
func write(t *testing.T, prefix string, events int) {
	t.Helper()
	p, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: prefix}})
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	for !p.Active() {
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	var e event.Encoder
	for i := range events {
		const readE = 6
		e.Begin(1700000000000001000, 1, readE, 2)
		e.Int(8, uint64(i))
		e.Int(4, uint64(p.Snaplen()))
		rec, err := e.End()
		if err != nil {
			t.Error(err)
			return
		}
		p.Write(rec, shm.Normal)
	}
}

func TestRing(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "ring")
	// What was written and not asked for is not lost.
	counters := regexp.MustCompile(`(?m)^events: \d+ delivered, 0 lost$`)
	for _, row := range []struct {
		args   string
		lines  int
		stderr string
	}{
		{"-u -n 3", 3, ""},
		{"-n 2", 2, ""}, // --ring is the source
		{"-u -q -n 3", 0, ""},
		{"-u -M 1", 5, ""},
		{"-u -n 3 -j", 3, ""},
	} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			write(t, prefix, 5)
		}()
		status, stdout, stderr := runWith(append(strings.Fields(row.args), "--ring", prefix, "-s", "123")...)
		<-done
		if n := strings.Count(stdout, "\n"); status != 0 || n != row.lines {
			t.Errorf("%s: got status %d, %d lines, want 0, %d:\n%s", row.args, status, n, row.lines, stdout)
		}
		if n := strings.Count(stdout, "size=123"); n != row.lines {
			t.Errorf("%s: the snaplen did not reach the producer:\n%s", row.args, stdout)
		}
		if !strings.HasPrefix(stderr, row.stderr+"events: ") || !counters.MatchString(stderr) {
			t.Errorf("%s: got stderr %q, want %qevents: ...", row.args, stderr, row.stderr)
		}
	}
	for _, object := range []string{"_buf", "_descs"} {
		info, err := os.Stat(prefix + object)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s: got mode %v, want 0600", object, got)
		}
	}
}

// TestDrain wants what is in the ring when a signal ends the sensor.
func TestDrain(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "ring")
	const events = 5000 // more than the buffers of the output hold
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, unix.SIGTERM)
	defer signal.Stop(arrived)
	r, w := io.Pipe()
	var words bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		status := run([]string{"-u", "--ring", prefix}, strings.NewReader(""), w, &words)
		w.Close()
		ended <- status
	}()
	write(t, prefix, events)
	if err := unix.Kill(os.Getpid(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-arrived // nothing has been printed by then
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	status := <-ended
	if n := bytes.Count(out, []byte("\n")); status != 0 || n != events {
		t.Errorf("got status %d, %d lines, want 0, %d", status, n, events)
	}
	if got, want := words.String(), fmt.Sprintf("events: %d delivered, 0 lost\n", events); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRingMode(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "ring")
	if status, _, stderr := runWith("-u", "-M", "1", "--ring", prefix, "--ring-mode", "0666"); status != 0 {
		t.Fatalf("got status %d, %q", status, stderr)
	}
	info, err := os.Stat(prefix + "_buf")
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o666 {
		t.Errorf("got mode %v, want 0666", got)
	}
}

// TestFailures wants one line on stderr and status 1.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "small_buf"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ args, want string }{
		{"-u --ring " + dir + "/none/ring", "none/ring"},
		{"-u --ring " + dir + "/small", "small_buf"},
		{"-u -o " + dir + "/none/out", "--output: open "},
		{"-u --log-file " + dir + "/none/log", "--log-file: open "},
	} {
		status, stdout, stderr := runWith(strings.Fields(row.args)...)
		if status != statusFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, row.want) {
			t.Errorf("%s: got status %d, stdout %q, stderr %q, want %d and a line with %q", row.args, status, stdout, stderr, statusFailed, row.want)
		}
	}
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	prefix, out := filepath.Join(dir, "ring"), filepath.Join(dir, "out")
	done := make(chan struct{})
	go func() {
		defer close(done)
		write(t, prefix, 2)
	}()
	status, stdout, stderr := runWith("-u", "-n", "2", "--ring", prefix, "-o", out)
	<-done
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 || stdout != "" || bytes.Count(b, []byte("> read fd=")) != 2 {
		t.Errorf("got status %d, stdout %q, stderr %q, file %q, want two events in the file", status, stdout, stderr, b)
	}

	go write(t, prefix, 2)
	status, _, stderr = runWith("-u", "-n", "2", "--ring", prefix, "-o", "/dev/full")
	if want := "sensor: output: write /dev/full: no space left on device\n"; status != statusFailed || !strings.HasSuffix(stderr, want) || strings.Count(stderr, "\n") != 2 {
		t.Errorf("full: got status %d, stderr %q, want %d, counters and %q", status, stderr, statusFailed, want)
	}
}

func TestDie(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGKILL, unix.SIGSEGV, unix.SIGQUIT, unix.SIGABRT, unix.SIGPIPE, 40} {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", dieEnv, sig))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("signal %d: got %v, want a death", sig, err)
			continue
		}
		w := exit.Sys().(syscall.WaitStatus)
		if !w.Signaled() || w.Signal() != sig || w.CoreDump() || len(out) > 0 {
			t.Errorf("signal %d: got %v, %q, want a death of it without a core and words", sig, exit, out)
		}
	}
}
