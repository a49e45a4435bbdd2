package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownSharedMemory gives the test's goroutine, and whatever it starts, an empty
// /dev/shm: the names of sysdig's ring are fixed. It is for the goroutine that
// calls it only, not for the subtests of a test.
func ownSharedMemory(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for ever: the thread ends with the test
	err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
	if errors.Is(err, unix.EPERM) {
		t.Skip("no CAP_SYS_ADMIN: a mount namespace with a /dev/shm of its own is needed")
	}
	if err != nil {
		t.Fatalf("unshare: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=64m"); err != nil {
		t.Fatalf("mount /dev/shm: %v", err)
	}
}

// sysdig is a running Debian sysdig that reads the default ring.
type sysdig struct {
	t           *testing.T
	cmd         *exec.Cmd
	ended       chan error
	out, errors string // files
}

// startSysdig starts sysdig -u and waits until it captures. Lines begin with
// the process of the thread, which sysdig does not show by itself.
func startSysdig(t *testing.T) *sysdig {
	t.Helper()
	return startSysdigWith(t, "-p", "*%proc.pid %evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.info")
}

// needSysdig is the path of Debian's sysdig, which we are compared with.
func needSysdig(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("sysdig")
	if err != nil {
		t.Skip("no sysdig: apt-get install --no-install-recommends sysdig")
	}
	return path
}

func startSysdigWith(t *testing.T, args ...string) *sysdig {
	t.Helper()
	path := needSysdig(t)
	dir := t.TempDir()
	s := &sysdig{t: t, ended: make(chan error, 1), out: filepath.Join(dir, "out"), errors: filepath.Join(dir, "err")}
	out, err := os.Create(s.out)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	words, err := os.Create(s.errors)
	if err != nil {
		t.Fatal(err)
	}
	defer words.Close()
	s.cmd = exec.Command(path, append([]string{"-u"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = out, words
	s.cmd.Env = append(os.Environ(), "TZ=UTC")
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		for range s.ended {
			break
		}
	})
	s.wait("sysdig captures", func() bool { return int(descriptor(60, 4)) == s.cmd.Process.Pid })
	return s
}

// wait waits for something to become true while sysdig lives.
func (s *sysdig) wait(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		select {
		case err := <-s.ended:
			close(s.ended)
			s.t.Fatalf("sysdig has ended (%v) before: %s\n%s", err, what, s.words())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func (s *sysdig) words() string {
	b, err := os.ReadFile(s.errors)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// descriptor reads a number of the default ring's descriptor object, 0 if
// there is none: abi of layout A, offsets in bytes.
func descriptor(offset, size int) uint64 { return descriptorOf("/dev/shm/udig_descs", offset, size) }

func descriptorOf(object string, offset, size int) uint64 {
	b, err := os.ReadFile(object)
	if err != nil || len(b) < offset+size {
		return 0
	}
	if size == 4 {
		return uint64(binary.NativeEndian.Uint32(b[offset:]))
	}
	return binary.NativeEndian.Uint64(b[offset:])
}

// records is how many records producers have written, or tried to, and how
// many of these did not fit.
func records() (written, dropped uint64) { return descriptor(8, 8), descriptor(16, 8) }

// line is one that sysdig has printed.
type line struct {
	text           string
	pid, num, tid  int
	name, dir, typ string
	info           string
}

var linePattern = regexp.MustCompile(`^(-?\d+) (\d+) \d\d:\d\d:\d\d\.\d{9} 0 (.*?) \((-?\d+)\) ([<>]) (\S+) (.*)$`)

// stop ends sysdig as a user does, when it has read all that is in the ring,
// and returns what it has printed.
func (s *sysdig) stop() []line {
	s.t.Helper()
	s.wait("sysdig has read all", func() bool { return descriptor(0, 4) == descriptor(4, 4) })
	return s.interrupt()
}

// interrupt is stop at any moment.
func (s *sysdig) interrupt() []line {
	s.t.Helper()
	if err := s.cmd.Process.Signal(unix.SIGINT); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		close(s.ended)
		if err != nil {
			s.t.Errorf("sysdig: %v", err)
		}
	case <-time.After(10 * time.Second):
		s.t.Fatal("sysdig does not end on SIGINT")
	}
	if w := s.words(); w != "" {
		s.t.Errorf("sysdig says: %s", w)
	}
	return s.lines()
}

// kill ends sysdig without a chance to give the ring back.
func (s *sysdig) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	if err := <-s.ended; err == nil {
		s.t.Error("sysdig has ended by itself")
	}
	close(s.ended)
	if w := s.words(); w != "" {
		s.t.Errorf("sysdig says: %s", w)
	}
}

func (s *sysdig) lines() []line {
	s.t.Helper()
	b, err := os.ReadFile(s.out)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []line
	for text := range strings.Lines(string(b)) {
		m := linePattern.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil {
			s.t.Fatalf("no line of an event: %q", text)
		}
		lines = append(lines, line{
			text: m[0], pid: atoi(m[1]), num: atoi(m[2]), name: m[3], tid: atoi(m[4]), dir: m[5], typ: m[6], info: m[7],
		})
	}
	return lines
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err) // the pattern has only digits
	}
	return n
}

// checkComplete checks that nothing was lost between pdig and sysdig's lines,
// and that sysdig could name everything.
func checkComplete(t *testing.T, lines []line) {
	t.Helper()
	written, dropped := records()
	if dropped != 0 || uint64(len(lines)) != written || written == 0 {
		t.Errorf("sysdig printed %d lines of %d records, of which %d were dropped", len(lines), written, dropped)
	}
	checkSequence(t, lines)
	started := map[int]bool{}
	for _, l := range lines {
		if l.typ == "execve" && l.dir == ">" && !started[l.tid] {
			// Between clone and exec the command is pdig, or already gone
			// on, when sysdig looks.
			started[l.tid] = true
			continue
		}
		if strings.Contains(l.text, "<NA>") {
			t.Errorf("not known to sysdig: %s", l.text)
		}
	}
}

// checkSequence checks that the events are numbered without a gap.
func checkSequence(t *testing.T, lines []line) {
	t.Helper()
	for i, l := range lines {
		if l.num != lines[0].num+i {
			t.Fatalf("evt.num jumps to %d behind %d", l.num, lines[i-1].num)
		}
	}
}

// find returns the lines of one half of an event.
func find(lines []line, dir, typ string) []line {
	var list []line
	for _, l := range lines {
		if l.dir == dir && l.typ == typ {
			list = append(list, l)
		}
	}
	return list
}

// traced runs a command under pdig, which writes into the default ring.
func traced(t *testing.T, argv ...string) result {
	t.Helper()
	return runCommand(t, append([]string{pdigPath, "--"}, argv...)...)
}

// exited checks that a command under pdig ended well and as silent as alone.
func exited(t *testing.T, r result, status int) {
	t.Helper()
	if !r.status.Exited() || r.status.ExitStatus() != status || r.stderr != "" {
		t.Fatalf("the command under pdig: status %#x, want exit status %d; stderr: %s", r.status, status, r.stderr)
	}
}

func TestSysdigReadsLs(t *testing.T) {
	t.Parallel()
	ownSharedMemory(t)
	alone := runCommand(t, "ls", "-a", "/")
	s := startSysdig(t)
	r := traced(t, "ls", "-a", "/")
	exited(t, r, 0)
	lines := s.stop()
	checkComplete(t, lines)
	if r.stdout != alone.stdout {
		t.Errorf("ls printed %q, alone %q", r.stdout, alone.stdout)
	}
	first := lines[0]
	if first.typ != "clone" || first.dir != "<" || !strings.HasPrefix(first.info, "res=0 ") {
		t.Errorf("the first event is not the birth of the command: %s", first.text)
	}
	exec := find(lines, "<", "execve")
	if len(exec) != 1 || exec[0].name != "ls" || !strings.HasPrefix(exec[0].info, "res=0 exe=ls args=-a./. ") {
		t.Errorf("execve: %v", exec)
	}
	last := lines[len(lines)-1]
	if last.typ != "procexit" || last.info != "status=0 ret=0 sig=0 core=0 " {
		t.Errorf("the last event is not the end of the command: %s", last.text)
	}
	if !contains(lines, "openat", "fd=3(<f>/") {
		t.Error("no descriptor of an opened file is named")
	}
}

// contains reports whether an exit half of the event begins so.
func contains(lines []line, typ, prefix string) bool {
	for _, l := range find(lines, "<", typ) {
		if strings.HasPrefix(l.info, prefix) {
			return true
		}
	}
	return false
}

func TestSysdigReadsPipelineOfBash(t *testing.T) {
	t.Parallel()
	ownSharedMemory(t)
	s := startSysdig(t)
	r := traced(t, "bash", "-c", `ls / | wc -l; (exit 3); bash -c 'kill -9 $$'; bash -c 'ulimit -c 0; kill -SEGV $$'; cd /tmp; : < . ; exit 5`)
	if r.status.ExitStatus() != 5 || strings.TrimSpace(r.stdout) == "" {
		t.Fatalf("bash: status %#x, stdout %q, stderr %s", r.status, r.stdout, r.stderr)
	}
	lines := s.stop()
	checkComplete(t, lines)
	var ends []string
	for _, l := range find(lines, ">", "procexit") {
		ends = append(ends, l.name+" "+strings.TrimSpace(l.info))
	}
	for _, want := range []string{
		"ls status=0 ret=0 sig=0 core=0",
		"wc status=0 ret=0 sig=0 core=0",
		"bash status=768 ret=3 sig=0 core=0",
		"bash status=9 ret=0 sig=9(SIGKILL) core=0",
		"bash status=11 ret=0 sig=11(SIGSEGV) core=0",
		"bash status=1280 ret=5 sig=0 core=0",
	} {
		if !containsString(ends, want) {
			t.Errorf("no procexit %q in %q", want, ends)
		}
	}
	if len(ends) != 6 {
		t.Errorf("%d processes ended, want 6: %q", len(ends), ends)
	}
	// Both ends of the pipe, inherited by the two sides and put in place.
	for _, want := range []string{"res=1(<p>) ", "res=0(<p>) "} {
		if !contains(lines, "dup", want) {
			t.Errorf("no dup of the pipe that gives %q", want)
		}
	}
	if !contains(lines, "openat", "fd=3(<f>/tmp) dirfd=-100(AT_FDCWD) name=.(/tmp) ") {
		t.Error("the relative path is not seen from the new working directory")
	}
}

func containsString(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// TestSysdigReadsSockets compares with what a program in Python with threads,
// and one in Go, saw themselves: each prints a line per fact.
func TestSysdigReadsSockets(t *testing.T) {
	t.Parallel()
	needProgram(t, "/usr/bin/python3")
	script, err := filepath.Abs("testdata/sockets.py")
	if err != nil {
		t.Fatal(err)
	}
	ownSharedMemory(t)
	s := startSysdig(t)
	r := traced(t, "/usr/bin/python3", "-B", script, t.TempDir())
	exited(t, r, 0)
	lines := s.stop()
	checkComplete(t, lines)
	checkFacts(t, lines, r.stdout, 20)
}

func TestSysdigReadsGo(t *testing.T) {
	t.Parallel()
	needSysdig(t)
	ownSharedMemory(t)
	program := goProgram(t, "gonet")
	s := startSysdig(t)
	r := traced(t, program)
	exited(t, r, 0)
	lines := s.stop()
	checkComplete(t, lines)
	checkFacts(t, lines, r.stdout, 11)
	threads := map[int]bool{}
	for _, l := range lines {
		threads[l.tid] = true
		if l.pid != lines[0].tid {
			t.Fatalf("a thread outside of its process %d: %s", lines[0].tid, l.text)
		}
	}
	if len(threads) < 3 {
		t.Errorf("events of %d threads", len(threads))
	}
}

// goProgram builds testdata/NAME, a Go program.
func goProgram(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// checkFacts looks for what a program has printed of itself, at least least
// facts, one a line:
//
//	exit PID STATUS          the process ended with this wait status
//	half TYPE BEGINNING      PID and TID of its own call, and how sysdig's
//	      PID TID            line of the exit half begins; a # is any number
func checkFacts(t *testing.T, lines []line, facts string, least int) {
	t.Helper()
	n := 0
	for fact := range strings.Lines(facts) {
		n++
		f := strings.SplitN(strings.TrimSuffix(fact, "\n"), "\t", 5)
		ok := false
		switch {
		case f[0] == "exit" && len(f) == 3:
			for _, l := range find(lines, ">", "procexit") {
				ok = ok || l.tid == atoi(f[1]) && strings.HasPrefix(l.info, "status="+f[2]+" ")
			}
		case f[0] == "half" && len(f) == 5:
			pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(f[4]), "#", "[0-9a-f]+"))
			for _, l := range find(lines, "<", f[3]) {
				ok = ok || l.pid == atoi(f[1]) && l.tid == atoi(f[2]) && pattern.MatchString(l.info)
			}
		default:
			t.Fatalf("no fact: %q", fact)
		}
		if !ok {
			t.Errorf("sysdig has no such event: %q", fact)
			for _, l := range lines {
				if len(f) == 5 && l.typ == f[3] && l.tid == atoi(f[2]) {
					t.Logf("  %s", l.text)
				}
			}
		}
	}
	if n < least {
		t.Errorf("the program printed %d facts, want at least %d", n, least)
	}
}

func TestSysdigReadsEightProducers(t *testing.T) {
	t.Parallel()
	program := fixture(t, "numbers")
	ownSharedMemory(t)
	s := startSysdig(t)
	const producers, each = 8, 300
	var cmds []*exec.Cmd
	for i := range producers {
		cmd := exec.Command(pdigPath, "--", program, "/nowhere/"+strconv.Itoa(i), strconv.Itoa(each))
		cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("the command under pdig: %v: %s", err, cmd.Stderr)
		}
		if got := cmd.Stdout.(*bytes.Buffer).String(); got != "opened 300, wrong 0\n" {
			t.Errorf("the command printed %q", got)
		}
	}
	lines := s.stop()
	checkComplete(t, lines)
	for i, cmd := range cmds {
		numbers := numbersOpened(t, lines, cmd.Process.Pid, "/nowhere/"+strconv.Itoa(i)+"/")
		if len(numbers) != each || numbers[0] != 0 {
			t.Errorf("producer %d: %d numbers", i, len(numbers))
		}
	}
	if n := len(find(lines, ">", "procexit")); n != producers {
		t.Errorf("%d processes ended, want %d", n, producers)
	}
}

// numbersOpened returns the numbers that the fixture of this name has opened
// in a process. Each has to be there with both halves, and no one between the
// first and the last may be missing.
func numbersOpened(t *testing.T, lines []line, pid int, prefix string) []int {
	t.Helper()
	var halves [2][]int
	for _, l := range lines {
		if l.pid != pid || l.typ != "openat" {
			continue
		}
		_, rest, ok := strings.Cut(l.info, " name="+prefix)
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, " ")
		n := atoi(number)
		h := &halves[0]
		if l.dir == "<" {
			h = &halves[1]
			if !strings.HasPrefix(l.info, "fd=-2(ENOENT) ") {
				t.Errorf("wrong result: %s", l.text)
			}
		}
		if k := len(*h); k > 0 && n != (*h)[k-1]+1 {
			t.Fatalf("%s%d comes behind %d", prefix, n, (*h)[k-1])
		}
		*h = append(*h, n)
	}
	if len(halves[0]) == 0 || len(halves[1]) == 0 {
		t.Fatalf("process %d opened nothing below %s", pid, prefix)
	}
	// A capture may begin and end between two halves.
	if d := len(halves[0]) - len(halves[1]); d < -1 || d > 1 {
		t.Errorf("%d enter halves, %d exit halves", len(halves[0]), len(halves[1]))
	}
	return halves[1]
}

// TestSysdigComesAndGoes has one workload under pdig from before the first
// sysdig to behind the last.
func TestSysdigComesAndGoes(t *testing.T) {
	t.Parallel()
	program := fixture(t, "numbers")
	ownSharedMemory(t)
	cmd := exec.Command(pdigPath, "--", program, "/nowhere", "0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	pid := cmd.Process.Pid
	for deadline := time.Now().Add(5 * time.Second); comm(pid) != "numbers"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the command does not start")
		}
	}
	const some = 400 // records
	grown := func() bool { n, _ := records(); return n > some }
	last := -1
	// session checks what a sysdig has seen that was ended with SIGINT.
	session := func(what string, lines []line) {
		t.Helper()
		checkSequence(t, lines)
		numbers := numbersOpened(t, lines, pid, "/nowhere/")
		if numbers[0] <= last {
			t.Errorf("%s: begins with %d, that before has seen %d", what, numbers[0], last)
		}
		last = numbers[len(numbers)-1]
		for _, l := range lines {
			if l.name != "numbers" || l.pid != pid || strings.Contains(l.text, "<NA>") {
				t.Fatalf("%s: not known to sysdig: %s", what, l.text)
			}
		}
	}

	s := startSysdig(t) // second: the command runs already
	s.wait("events after sysdig was second", grown)
	session("second", s.interrupt())

	s = startSysdig(t)
	s.wait("events after a restart", grown)
	session("restarted", s.interrupt())

	for range 3 {
		s = startSysdig(t)
		s.wait("events before a kill", grown)
		s.kill()
	}
	time.Sleep(20 * time.Millisecond) // records for a reader that is gone
	s = startSysdig(t)
	s.wait("events after a kill", grown)
	session("killed and restarted", s.interrupt())

	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || stderr.Len() != 0 {
		t.Errorf("the command under pdig: %v; stderr: %s", err, stderr.String())
	}
	if got := stdout.String(); !regexp.MustCompile(`^opened \d+, wrong 0\n$`).MatchString(got) {
		t.Errorf("the command printed %q", got)
	}
}

// comm is the name of a process.
func comm(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
