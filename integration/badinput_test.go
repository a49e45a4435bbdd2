package integration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

var update = flag.Bool("update", false, "write what the commands print into testdata")

// complaint is a run that has to end with one clear line.
type complaint struct {
	name string
	argv []string
	prep func(t *testing.T, c *complaint) // prepares the place that $DIR stands for

	dir  string
	user uint32 // who runs it; 0 is whoever runs the tests
	env  []string
}

// TestComplaints runs the commands in ways that have to fail, and compares what
// they print, and their statuses, with testdata/complaints.txt. In arguments
// and in the file $DIR stands for a directory of the run, and $PDIG and $SENSOR
// for the commands.
func TestComplaints(t *testing.T) {
	rows := []complaint{
		{name: "no command", argv: []string{"$PDIG"}},
		{name: "unknown option", argv: []string{"$PDIG", "--nonsense", "true"}},
		{name: "unknown letter", argv: []string{"$PDIG", "-Z", "true"}},
		{name: "option without its value", argv: []string{"$PDIG", "-e"}},
		{name: "unknown call", argv: []string{"$PDIG", "-e", "nosuch", "true"}},
		{name: "unknown class", argv: []string{"$PDIG", "-e", "%nosuch", "true"}},
		{name: "unknown call taken away", argv: []string{"$PDIG", "-e", "all,!nosuch", "true"}},
		{name: "no such number", argv: []string{"$PDIG", "-e", "99999", "true"}},
		{name: "two sets of calls", argv: []string{"$PDIG", "-a", "-e", "all", "true"}},
		{name: "snaplen 0", argv: []string{"$PDIG", "-s", "0", "true"}},
		{name: "snaplen too large", argv: []string{"$PDIG", "-s", "65001", "true"}},
		{name: "snaplen no number", argv: []string{"$PDIG", "-s", "x", "true"}},
		{name: "args-limit too small", argv: []string{"$PDIG", "--args-limit", "63", "true"}},
		{name: "args-limit too large", argv: []string{"$PDIG", "--args-limit", "65537", "true"}},
		{name: "bad on-full", argv: []string{"$PDIG", "--on-full", "wait", "true"}},
		{name: "no ring name", argv: []string{"$PDIG", "--ring", "", "true"}},
		{name: "bad schema", argv: []string{"$PDIG", "--schema", "100", "true"}},
		{name: "bad wait-sensor", argv: []string{"$PDIG", "--wait-sensor", "soon", "true"}},
		{name: "negative wait-sensor", argv: []string{"$PDIG", "--wait-sensor=-1s", "true"}},
		{name: "bad pin", argv: []string{"$PDIG", "--pin", "x", "true"}},
		{name: "bad log-level", argv: []string{"$PDIG", "--log-level", "loud", "true"}},
		{name: "log-file nowhere", argv: []string{"$PDIG", "--log-file", "/nowhere/log", "true"}},
		{name: "ring of one descriptor", argv: []string{"$PDIG", "--ring", "fd:9", "true"}},
		{name: "ring of closed descriptors", argv: []string{"$PDIG", "--ring", "fd:900,901", "true"}},

		{name: "missing program", argv: []string{"$PDIG", "--ring", "$DIR/r", "nosuch-program"}},
		{name: "missing path", argv: []string{"$PDIG", "--ring", "$DIR/r", "/nowhere/program"}},
		{name: "program behind a file", argv: []string{"$PDIG", "--ring", "$DIR/r", "/etc/passwd/program"}},
		{name: "empty name", argv: []string{"$PDIG", "--ring", "$DIR/r", ""}},
		{name: "not executable", argv: []string{"$PDIG", "--ring", "$DIR/r", "/etc/passwd"}},
		{name: "directory", argv: []string{"$PDIG", "--ring", "$DIR/r", "/"}},
		{name: "interpreter is missing", argv: []string{"$PDIG", "--ring", "$DIR/r", "$DIR/script"}, prep: script},

		{name: "ptrace refused by a filter", argv: []string{"$REFUSE", "ptrace", "$PDIG", "--ring", "$DIR/r", "true"}},
		{name: "ptrace refused, being traced", argv: []string{"$REFUSE", "traced", "$PDIG", "--ring", "$DIR/r", "true"}},
		{name: "filters refused", argv: []string{"$REFUSE", "seccomp", "$PDIG", "--ring", "$DIR/r", "-S", "true"}},

		{name: "pid no number", argv: []string{"$PDIG", "-p", "1,x"}},
		{name: "pid 0", argv: []string{"$PDIG", "-p", "0"}},
		{name: "pid empty", argv: []string{"$PDIG", "-P", ","}},
		{name: "pid and a command", argv: []string{"$PDIG", "-p", "1", "true"}},
		{name: "no such pid", argv: []string{"$PDIG", "--ring", "$DIR/r", "-p", "4194305"}},
		{name: "filter for a pid", argv: []string{"$PDIG", "--ring", "$DIR/r", "-S", "-p", "4194305"}},
		{name: "bad io_uring", argv: []string{"$PDIG", "--io-uring", "allow", "true"}},
		{name: "bad priority", argv: []string{"$PDIG", "--priority", "high", "true"}},
		{name: "priorities", argv: []string{"$PDIG", "--priority", "security", "--on-full", "drop", "true"}},
		{name: "wait-all for a pid", argv: []string{"$PDIG", "--wait-all", "-p", "1"}},
		{name: "seen and handed over", argv: []string{"$PDIG", "--priority", "security", "--on-ptrace", "release", "true"}},
		{name: "bad seccomp", argv: []string{"$PDIG", "--seccomp", "maybe", "true"}},
		{name: "two words about filters", argv: []string{"$PDIG", "-S", "--seccomp", "never", "true"}},
		{name: "bad doctor", argv: []string{"$PDIG", "--doctor=maybe"}},
		{name: "doctor and a command", argv: []string{"$PDIG", "--doctor", "true"}},
		{name: "doctor and a pid", argv: []string{"$PDIG", "--doctor", "-p", "1"}},

		{name: "bad on-ptrace", argv: []string{"$PDIG", "--on-ptrace", "ignore", "true"}},
		{name: "handed over and adopted", argv: []string{"$PDIG", "--on-ptrace", "release", "--adopt", "true"}},
		{name: "a filter that would be left behind", argv: []string{"$PDIG", "--on-ptrace", "release", "-S", "true"}},

		{name: "no consumer", argv: []string{"$PDIG", "--ring", "$DIR/r", "--wait-sensor", "10ms", "true"}},
		{name: "ring nowhere", argv: []string{"$PDIG", "--ring", "/nowhere/r", "true"}},
		{name: "ring of another size", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: sized(4<<20, 4096)},
		{name: "ring of an odd size", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: sized(4097, 4096)},
		{name: "descriptors too small", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: sized(8<<20, 64)},
		{name: "empty ring", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: sized(0, 4096)},
		{name: "ring is a link", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: linked},
		{name: "ring is a directory", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: inTheWay},
		{name: "ring is a pipe", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: fifo},
		{name: "ring of another user", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: foreign},
		{name: "ring of root", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: forbidden},
		{name: "place of another user", argv: []string{"$PDIG", "--ring", "$DIR/r", "true"}, prep: closedPlace},
		{name: "no /dev/shm", argv: []string{"$PDIG", "true"}, prep: noSharedMemory},
		{name: "/dev/shm full", argv: []string{"$PDIG", "true"}, prep: fullSharedMemory},

		{name: "unknown option", argv: []string{"$SENSOR", "--nonsense"}},
		{name: "unknown letter", argv: []string{"$SENSOR", "-Z"}},
		{name: "snaplen 0", argv: []string{"$SENSOR", "-s", "0"}},
		{name: "snaplen no number", argv: []string{"$SENSOR", "-s", "x"}},
		{name: "count 0", argv: []string{"$SENSOR", "-n", "0"}},
		{name: "count no number", argv: []string{"$SENSOR", "-n", "x"}},
		{name: "seconds 0", argv: []string{"$SENSOR", "-M", "0"}},
		{name: "ring without a name", argv: []string{"$SENSOR", "--ring", ""}},
		{name: "bad ring-mode", argv: []string{"$SENSOR", "--ring-mode", "9"}},
		{name: "bad ring-size", argv: []string{"$SENSOR", "--ring-size", "100", "--", "true"}},
		{name: "ring-size of a shared ring", argv: []string{"$SENSOR", "--ring-size", "16M"}},
		{name: "wait-all without a command", argv: []string{"$SENSOR", "--wait-all"}},
		{name: "ring with a command", argv: []string{"$SENSOR", "--ring", "$DIR/r", "--", "true"}},
		{name: "bad log-level", argv: []string{"$SENSOR", "--log-level", "loud"}},
		{name: "log-file nowhere", argv: []string{"$SENSOR", "--log-file", "/nowhere/log"}},
		{name: "output nowhere", argv: []string{"$SENSOR", "-o", "/nowhere/out"}},
		{name: "last without a file", argv: []string{"$SENSOR", "--last", "64M"}},
		{name: "last too small", argv: []string{"$SENSOR", "-w", "$DIR/f", "--last", "1000"}},
		{name: "last no size", argv: []string{"$SENSOR", "-w", "$DIR/f", "--last", "30s"}},
		{name: "last in several files", argv: []string{"$SENSOR", "-w", "$DIR/f", "--last", "64M", "-C", "1"}},
		{name: "last nowhere", argv: []string{"$SENSOR", "-w", "/nowhere/f", "--last", "64M"}},
		{name: "two formats", argv: []string{"$SENSOR", "-j", "--msgpack"}},
		{name: "filter words", argv: []string{"$SENSOR", "-u", "evt.type=open", "and", "fd.nun=3"}},
		{name: "filter before a command", argv: []string{"$SENSOR", "evt.type=open)", "--", "true"}},
		{name: "no command behind --", argv: []string{"$SENSOR", "--"}},
		{name: "no pdig", argv: []string{"$DIR/sensor", "--", "true"}, prep: alone},
		{name: "another consumer", argv: []string{"$SENSOR", "-u", "--ring", "$DIR/r"}, prep: consumed},
		{name: "no producer", argv: []string{"$SENSOR", "-u", "--ring", "$DIR/r", "-M", "1"}},
		{name: "ring nowhere", argv: []string{"$SENSOR", "-u", "--ring", "/nowhere/r"}},
		{name: "ring of another size", argv: []string{"$SENSOR", "-u", "--ring", "$DIR/r"}, prep: sized(4<<20, 4096)},
		{name: "ring is a link", argv: []string{"$SENSOR", "-u", "--ring", "$DIR/r"}, prep: linked},
		{name: "ring of root", argv: []string{"$SENSOR", "-u", "--ring", "$DIR/r"}, prep: forbidden},
		{name: "no /dev/shm", argv: []string{"$SENSOR", "-u"}, prep: noSharedMemory},
		{name: "/dev/shm full", argv: []string{"$SENSOR", "-u"}, prep: fullSharedMemory},
		{name: "missing program", argv: []string{"$SENSOR", "--", "nosuch-program"}},
		{name: "not executable", argv: []string{"$SENSOR", "--", "/etc/passwd"}},
	}
	refuse := fixture(t, "refuse")
	texts := make([]string, len(rows))
	t.Run("rows", func(t *testing.T) {
		for i := range rows {
			c := &rows[i]
			what := "pdig"
			if strings.HasSuffix(strings.ToLower(c.argv[0]), "sensor") {
				what = "sensor"
			}
			title := what + ": " + c.name
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				texts[i] = "## " + title + "\n" + c.run(t, refuse)
			})
		}
	})
	const golden = "testdata/complaints.txt"
	got := strings.Join(texts, "")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	// Rows that were skipped, and said so, are not compared.
	if diff := cmp.Diff(sections(string(want), texts), sections(got, texts)); diff != "" {
		t.Errorf("-%s +printed (go test -update writes it):\n%s", golden, diff)
	}
}

// sections splits a golden text by rows, without those that have no text.
func sections(s string, texts []string) map[string]string {
	run := map[string]bool{}
	for _, text := range texts {
		title, _, _ := strings.Cut(text, "\n")
		run[title] = true
	}
	m := map[string]string{}
	for _, section := range strings.SplitAfter(s, "\n## ") {
		section = "## " + strings.TrimPrefix(strings.TrimSuffix(section, "## "), "## ")
		if title, text, ok := strings.Cut(section, "\n"); ok && run[title] {
			m[title] = text
		}
	}
	return m
}

// run returns the command line, its status and what it has printed, which has
// to be a single line on stderr but for the sensor's own summary.
func (c *complaint) run(t *testing.T, refuse string) string {
	dir, err := os.MkdirTemp("", "pdig-complaint-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c.dir = dir
	if c.prep != nil {
		c.prep(t, c)
	}
	places := strings.NewReplacer("$DIR", dir, "$PDIG", pdigPath, "$SENSOR", sensorPath, "$REFUSE", refuse)
	argv := make([]string, len(c.argv))
	for i := range argv {
		argv[i] = places.Replace(c.argv[i])
	}
	if c.user != 0 { // who may not be able to reach the commands
		argv[0] = copyProgram(t, argv[0], filepath.Join(dir, "program"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &stdout, &stderr
	cmd.Env = append(append(os.Environ(), "PATH=/usr/bin:/bin"), c.env...)
	if c.user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.user, Gid: c.user}}
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	words := stderr.String()
	lines := strings.Count(strings.TrimSuffix(words, "events: 0 delivered, 0 lost\n"), "\n")
	if strings.HasSuffix(words, "^\n") {
		lines -= 2 // the condition, and the place in it
	}
	if lines > 1 || words == "" || stdout.Len() > 0 {
		t.Errorf("want one line on stderr; stdout %q, stderr %q", stdout.String(), words)
	}
	// A number that is no process can be the same, be it a size or a limit.
	process := regexp.MustCompile(fmt.Sprintf(`\b(process|pid) (%d|%d)\b`, os.Getpid(), cmd.ProcessState.Pid()))
	words = process.ReplaceAllString(strings.ReplaceAll(words, dir, "$DIR"), "$1 $$PID")
	return fmt.Sprintf("%s\nstatus %d\n%s", strings.Join(quoted(c.argv), " "), cmd.ProcessState.ExitCode(), words)
}

func quoted(argv []string) []string {
	var list []string
	for _, a := range argv {
		if a == "" {
			a = "''"
		}
		list = append(list, a)
	}
	return list
}

func (c *complaint) object(t *testing.T, name string, size int64) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// sized leaves ring objects of these sizes.
func sized(ring, descriptors int64) func(*testing.T, *complaint) {
	return func(t *testing.T, c *complaint) {
		c.object(t, "r_buf", ring)
		c.object(t, "r_descs", descriptors)
	}
}

func script(t *testing.T, c *complaint) {
	if err := os.WriteFile(filepath.Join(c.dir, "script"), []byte("#!/nowhere/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func linked(t *testing.T, c *complaint) {
	c.object(t, "elsewhere", 8<<20)
	if err := os.Symlink("elsewhere", filepath.Join(c.dir, "r_buf")); err != nil {
		t.Fatal(err)
	}
}

func inTheWay(t *testing.T, c *complaint) {
	if err := os.Mkdir(filepath.Join(c.dir, "r_buf"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func fifo(t *testing.T, c *complaint) {
	if err := unix.Mkfifo(filepath.Join(c.dir, "r_buf"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// nobody is a user who owns nothing.
const nobody = 65534

func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: other users are needed")
	}
}

func foreign(t *testing.T, c *complaint) {
	root(t)
	sized(8<<20, 4096)(t, c)
	for _, name := range []string{"r_buf", "r_descs"} {
		if err := os.Chown(filepath.Join(c.dir, name), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

func forbidden(t *testing.T, c *complaint) {
	root(t)
	sized(8<<20, 4096)(t, c)
	c.open(t)
	c.user = nobody
}

func closedPlace(t *testing.T, c *complaint) {
	root(t)
	c.open(t)
	c.user = nobody
}

// open lets everybody look into the directory.
func (c *complaint) open(t *testing.T) {
	t.Helper()
	if err := os.Chmod(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func consumed(t *testing.T, c *complaint) {
	consumer, err := shm.NewConsumer(shm.ConsumerConfig{Config: shm.Config{Prefix: filepath.Join(c.dir, "r")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = consumer.Close() })
}

func copyProgram(t *testing.T, from, to string) string {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	// A child that another test forks meanwhile would have the file open for
	// writing, and nobody could execute it.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

func alone(t *testing.T, c *complaint) {
	copyProgram(t, sensorPath, filepath.Join(c.dir, "sensor"))
	c.env = []string{"PATH=/nowhere"}
}

func fullSharedMemory(t *testing.T, _ *complaint) {
	ownSharedMemory(t)
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mount /dev/shm: %v", err)
	}
}

func noSharedMemory(t *testing.T, _ *complaint) {
	ownSharedMemory(t)
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", 0, ""); err != nil {
		t.Fatalf("mount /dev: %v", err)
	}
}
