package integration

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// moduleSysdig is a sysdig of the module's age.
var moduleSysdig = flag.String("kmod.sysdig", "sysdig", "the `command` of the sysdig that reads the kernel module of this machine")

// TestKernelModuleLines lets two sensors and a sysdig read Falco's kernel module at
// the same time, and compares what they print of programs: see the target guests.
func TestKernelModuleLines(t *testing.T) {
	if out, err := exec.Command(sensorPath, "--kmod", "-q", "-M", "1").CombinedOutput(); err != nil {
		t.Skipf("needs Falco's kernel module: %s", bytes.TrimSpace(out))
	}
	if _, err := exec.LookPath(strings.Fields(*moduleSysdig)[0]); err != nil {
		t.Skip("needs the sysdig of the module's age: ", err)
	}
	programs := []string{fixture(t, "parity"), fixture(t, "oracle-files")}
	style, version := "sysdig", readFile("/sys/module/scap/version")
	if !strings.HasPrefix(version, "0.1.1dev") {
		style = "newest"
	}
	// A process that ran before, whose descriptor has a name all the same.
	early := filepath.Join(t.TempDir(), "early")
	before := exec.Command("/bin/sh", "-c", "exec 7>"+early+"; while :; do echo x >&7; sleep 0.2; done")
	if err := before.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = before.Process.Kill(); _ = before.Wait() })

	// Each would see what the others write, and write about that.
	const filter = "proc.name!=sensor and proc.name!=sysdig and proc.name!=ld-linux-x86-64"
	sensor := []string{sensorPath, "--kmod", "-A", "--style", style, filter}
	readers := []*moduleReader{
		readModule(t, unix.SIGINT, append(strings.Fields(*moduleSysdig), "--unbuffered", filter)),
		readModule(t, unix.SIGTERM, sensor), readModule(t, unix.SIGTERM, sensor),
	}
	mark := func(name string) {
		path := filepath.Join(t.TempDir(), name)
		for _, r := range readers {
			r.wait(name, func() { _, _ = os.Stat(path); _, _ = os.Open(path) })
		}
	}
	mark("all-have-begun")
	for i, program := range programs {
		dir := filepath.Join(t.TempDir(), "d")
		workplace(t, dir)
		if out, err := exec.Command(program, "336", dir).CombinedOutput(); err != nil {
			t.Fatalf("program %d: %v: %s", i, err, out)
		}
	}
	mark("all-is-done")
	var lines []map[string][]string
	for _, r := range readers {
		lines = append(lines, r.end())
	}
	threads, same := 0, 0
	for thread, got := range lines[1] {
		if !slices.ContainsFunc(got, func(s string) bool { return ofPrograms.MatchString(s) }) {
			continue
		}
		threads++
		equalLines(t, "two sensors, thread "+thread, lines[2][thread], got, nil)
		same += equalLines(t, "sysdig and sensor, thread "+thread, lines[0][thread], got, moduleKnown)
	}
	t.Logf("%s, style %s: %d threads, %d lines", version, style, threads, same)
	if threads < 5 || same < 500 {
		t.Errorf("%d threads of the programs, %d lines", threads, same)
	}
	name := "fd=7(<f>" + early + ")"
	for i, r := range []string{"sysdig", "sensor"} {
		if !strings.Contains(readFile(readers[i].out), name) {
			t.Errorf("%s does not know of a process that ran before: %s", r, name)
		}
	}
}

func readFile(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// moduleReader is a process that prints the events of the module.
type moduleReader struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   string
	sig   unix.Signal
	ended chan struct{}
}

func readModule(t *testing.T, sig unix.Signal, argv []string) *moduleReader {
	t.Helper()
	r := &moduleReader{t: t, out: filepath.Join(t.TempDir(), "out"), sig: sig, cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	out, err := os.Create(r.out)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.Env = out, os.Stderr, append(os.Environ(), "TZ=UTC")
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.cmd.Wait(); close(r.ended) }()
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); <-r.ended })
	return r
}

// wait does something until it is printed.
func (r *moduleReader) wait(what string, do func()) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		do()
		if strings.Contains(readFile(r.out), what) {
			return
		}
		select {
		case <-r.ended:
			r.t.Fatalf("%v has ended: %v", r.cmd.Args, r.cmd.ProcessState)
		default:
		}
	}
	r.t.Fatalf("%s has not printed %q", r.cmd.Path, what)
}

// end returns the lines by thread, without numbers and without what depends on who
// else was running.
func (r *moduleReader) end() map[string][]string {
	r.t.Helper()
	if err := r.cmd.Process.Signal(r.sig); err != nil {
		r.t.Fatal(err)
	}
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatalf("%s does not end", r.cmd.Path)
	}
	threads := map[string][]string{}
	for line := range strings.SplitSeq(readFile(r.out), "\n") {
		if m := anyLine.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[3], "> switch") {
			threads[m[2]] = append(threads[m[2]], strings.TrimSpace(m[1]+" "+m[3]))
		}
	}
	return threads
}

var (
	ofPrograms = regexp.MustCompile(`^\d+ (?:parity|oracle-files) `)

	untypedSocket = regexp.MustCompile(`<([46])[tu]>`)
	openedName    = regexp.MustCompile(`( fd=\d+)\(<[fd]>[^)]*\)+`)
	longName      = regexp.MustCompile(`( name=\S{1000})\S*`)
	longDirs      = regexp.MustCompile(`\((?:<[fd]>)?/(?:PATH|DIR)_TOO_LONG[^)]*\)`)
)

// moduleKnown takes from lines what docs/engines.md says of sysdig: it does not see
// what a socket is when its type has flags, gives a descriptor another name if its path
// was too long, or was not read at the enter event, and cuts long paths elsewhere.
func moduleKnown(s string) string {
	s = untypedSocket.ReplaceAllString(s, "<$1>")
	if strings.Contains(s, "(NULL)") || strings.Contains(s, "_TOO_LONG") || strings.Contains(s, "/etc/passwd") {
		s = longDirs.ReplaceAllString(openedName.ReplaceAllString(s, "$1"), "(long)")
	}
	return longName.ReplaceAllString(s, "$1")
}

// equalLines compares lines in order, and returns how many are the same.
func equalLines(t *testing.T, what string, want, got []string, known func(string) string) (same int) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		a, b := "nothing", "nothing"
		if i < len(want) {
			a = want[i]
		}
		if i < len(got) {
			b = got[i]
		}
		if a == b || known != nil && known(a) == known(b) {
			same++
		} else if i-same < 10 {
			t.Errorf("%s, line %d: %s", what, i, lineDifference(a, b))
		}
	}
	return same
}
