package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSensorPrintsLinesOfSysdig runs programs that do the same every time under
// pdig and compares what sysdig -u prints with what the sensor prints: from a
// ring of its own with the events of sysdig's age and with the newest, and from
// the ring of the command that it starts.
func TestSensorPrintsLinesOfSysdig(t *testing.T) {
	t.Parallel()
	needSysdig(t)
	for pid := 0; pid < 100; { // smaller ones are taken for those of inner pid namespaces (normal)
		cmd := exec.Command("true")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		pid = cmd.Process.Pid
	}
	for _, row := range []struct {
		program string
		options []string // of pdig
	}{
		{"parity", []string{"-e", "all"}},
		{"oracle-files", nil},
		{"oracle-sockets", nil},
		{"oracle-processes", nil},
		{"oracle-exec", nil},
	} {
		t.Run(row.program, func(t *testing.T) {
			t.Parallel()
			ownSharedMemory(t) // first: it hides what is there
			program := fixture(t, row.program)
			dir := filepath.Join(t.TempDir(), "d")
			command := []string{program, "336", dir}
			var want []string
			var got map[string][]string
			for range attempts {
				want, got = sysdigPrints(t, dir, row.options, command), map[string][]string{}
				for _, schema := range []string{"336", "auto"} {
					options := append([]string{"--schema", schema}, row.options...)
					got["sensor -u of events of schema "+schema] = sensorPrints(t, dir, options, command)
				}
				if row.options == nil { // the sensor asks for the default
					got["sensor -- command"] = sensorRuns(t, dir, command)
				}
				if samePorts(want, got) {
					break
				}
			}
			for what, lines := range got {
				compareLines(t, what, want, lines)
			}
		})
	}
}

// attempts is how often all is run anew because the kernel has given out a port a
// second time in one of the runs, which makes two ends look like one.
const attempts = 3

// samePorts reports whether all runs had as many ports.
func samePorts(want []string, got map[string][]string) bool {
	count := func(lines []string) int {
		seen := map[string]bool{}
		for _, line := range lines {
			for _, m := range ports.FindAllStringSubmatch(line, -1) {
				seen[m[2]] = true
			}
		}
		return len(seen)
	}
	for _, lines := range got {
		if count(lines) != count(want) {
			return false
		}
	}
	return true
}

// workplace makes dir new, so that every run finds the same.
func workplace(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func sysdigPrints(t *testing.T, dir string, options, command []string) []string {
	t.Helper()
	workplace(t, dir)
	s := startSysdigWith(t)
	r := runCommand(t, append(append([]string{pdigPath}, append(options, "--")...), command...)...)
	exited(t, r, 0)
	s.wait("sysdig has read all", func() bool { return descriptor(0, 4) == descriptor(4, 4) })
	if err := s.cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("sysdig: %v", err)
	}
	close(s.ended)
	b, err := os.ReadFile(s.out)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// sensorPrints lets a sensor read a ring into which pdig writes.
func sensorPrints(t *testing.T, dir string, options, command []string) []string {
	t.Helper()
	workplace(t, dir)
	prefix := ring(t)
	out := filepath.Join(t.TempDir(), "out")
	var words bytes.Buffer
	sensor := exec.Command(sensorPath, "-u", "--ring", prefix, "-o", out)
	sensor.Env = append(os.Environ(), "TZ=UTC")
	sensor.Stderr = &words
	if err := sensor.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sensor.Wait() }()
	t.Cleanup(func() { _ = sensor.Process.Kill() })
	waitFor(t, "the sensor captures", func() bool {
		return descriptorOf(prefix+"_descs", 60, 4) == uint64(sensor.Process.Pid)
	})
	r := runCommand(t, append(append([]string{pdigPath, "--ring", prefix}, append(options, "--")...), command...)...)
	exited(t, r, 0)
	waitFor(t, "the sensor has printed all", func() bool {
		b, err := os.ReadFile(out)
		return err == nil && uint64(bytes.Count(b, []byte{'\n'})) == descriptorOf(prefix+"_descs", 8, 8)
	})
	if err := sensor.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("sensor: %v", err)
	}
	return printed(t, out, words.String())
}

// sensorRuns lets the sensor start the command.
func sensorRuns(t *testing.T, dir string, command []string) []string {
	t.Helper()
	workplace(t, dir)
	out := filepath.Join(t.TempDir(), "out")
	r := runCommand(t, append([]string{sensorPath, "-o", out, "--"}, command...)...)
	if r.status != 0 {
		t.Fatalf("sensor -- command: status %#x: %s", r.status, r.stderr)
	}
	return printed(t, out, r.stderr)
}

// printed returns the lines that a sensor has printed, which are as many as it
// says on stderr.
func printed(t *testing.T, out, words string) []string {
	t.Helper()
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if want := "events: " + strconv.Itoa(len(lines)) + " delivered, 0 lost"; !strings.HasPrefix(words, want) || strings.Count(words, "\n") != 1 {
		t.Errorf("the sensor says %q, want %q", words, want)
	}
	return lines
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// compareLines compares what two runs have printed, thread by thread: in which
// order threads run is no matter of the run.
func compareLines(t *testing.T, what string, want, got []string) {
	t.Helper()
	w, g := byThread(t, want), byThread(t, got)
	if len(w) != len(g) {
		t.Errorf("%s: %d threads, sysdig has %d", what, len(g), len(w))
	}
	for i := range min(len(w), len(g)) {
		bad := 0
		for j := range max(len(w[i]), len(g[i])) {
			a, b := "nothing", "nothing"
			if j < len(w[i]) {
				a = w[i][j]
			}
			if j < len(g[i]) {
				b = g[i][j]
			}
			if a == b || newerCall(a, b) {
				continue
			}
			t.Errorf("%s: thread %d, line %d: %s", what, i, j, lineDifference(a, b))
			if bad++; bad == 10 {
				t.Logf("and more in that thread")
				break
			}
		}
	}
}

// lineDifference shows where two lines differ.
func lineDifference(sysdig, sensor string) string {
	a, b := strings.Split(sysdig, " "), strings.Split(sensor, " ")
	if len(a) != len(b) {
		return "\nsysdig: " + short(sysdig) + "\nsensor: " + short(sensor)
	}
	s := strings.Join(a[:min(4, len(a))], " ")
	for i := range a {
		if a[i] != b[i] {
			s += "\nsysdig: " + short(a[i]) + "\nsensor: " + short(b[i])
		}
	}
	return s
}

// newerCall reports whether two lines are the same but for what sysdig cannot
// know: calls for which it has no event, or no name, and what these have opened.
func newerCall(sysdig, sensor string) bool {
	if m := bareLine.FindStringSubmatch(sysdig); m != nil {
		return m[2] == "<unknown>" && strings.HasPrefix(sensor, m[1]) || strings.HasPrefix(sensor, sysdig)
	}
	return newerFD.ReplaceAllString(sensor, "$1") == sysdig
}

var (
	bareLine  = regexp.MustCompile(`^(\d+ .* [<>] )(prctl|memfd_create|epoll_create1|<unknown>) $`)
	newerFD   = regexp.MustCompile(`( fd=\d+)\((?:<l>|<m>memory)\)`)
	anyLine   = regexp.MustCompile(`^\d+ \d\d:\d\d:\d\d\.\d{9} (\d+ .*?) \((-?\d+)\) ([<>] .*)$`)
	firstEnds = regexp.MustCompile(`^[<>] execve `)
)

// byThread sorts lines by thread, in the order in which these appear, and
// replaces what is different in every run. The lines before the exec of the
// command are left out: there it is pdig, which has other arguments.
func byThread(t *testing.T, lines []string) [][]string {
	t.Helper()
	numbers := map[string]string{}
	index := map[string]int{}
	var threads [][]string
	started := 0
	for i, text := range lines {
		m := anyLine.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no line of an event: %q", text)
		}
		if num, _, _ := strings.Cut(text, " "); num != strconv.Itoa(i+1) {
			t.Fatalf("line %d has the number %s", i+1, num)
		}
		if started < 2 {
			if firstEnds.MatchString(m[3]) {
				started++
			}
			continue
		}
		if waits.MatchString(m[3]) {
			continue
		}
		n, ok := index[m[2]]
		if !ok {
			n = len(threads)
			index[m[2]] = n
			threads = append(threads, nil)
		}
		threads[n] = append(threads[n], normal(m[1]+" "+m[3], numbers))
	}
	return threads
}

var (
	ids       = regexp.MustCompile(`\b((?:tid|pid|ptid|vtid|vpid|pgid)=)(\d+)`)
	born      = regexp.MustCompile(`^(\S+ .* < (?:clone|clone3|fork|vfork|setsid) res=)(\d+)`)
	ports     = regexp.MustCompile(`([0-9a-f.:]:)(\d{4,5})\b`)
	unixEnds  = regexp.MustCompile(`(<u>|tuple=)[0-9a-f]+->[0-9a-f]+ `)
	pointers  = regexp.MustCompile(`\b(argument)=[0-9A-F]{9,}\b`)
	changing  = regexp.MustCompile(`\b(pgft_maj|pgft_min|vm_size|vm_rss|vm_swap|ino|addr|source|peer)=[0-9A-F]+\b`)
	addresses = regexp.MustCompile(`((?:brk|mmap) res=)[0-9A-F]+`)
	oracles   = regexp.MustCompile(`pdig-oracle-\d+`)
	// What a small number stands for outside of its pid namespace is another
	// process altogether.
	innerIDs = regexp.MustCompile(`\b(res|vtid|vpid)=(\d)\([^)]*\)`)
	created  = regexp.MustCompile(` flags=(\d+)(\((?:[A-Z_]+\|)*O_CREAT\b)`)
	// Sysdig's buffer for texts grows with what it has seen.
	longText = regexp.MustCompile(`([^ ]{1000})[^ ]+`)
	// Whether there is something to wait for depends on the other threads.
	waits = regexp.MustCompile(`^[<>] futex `)
	// What the command was given is looked up, when it may be something else or
	// closed.
	given = regexp.MustCompile(`\bfd=0\b(?:\(<f>[^)]*\))?`)
	// Who has started the command.
	starters = regexp.MustCompile(`=\d+\((?:` + regexp.QuoteMeta(comm(os.Getpid())) + `|sensor)\)`)
	pipes    = regexp.MustCompile(`pipe:\[\d+\]`)
)

// Sockets of which sysdig guesses something: live the sensor says what the records
// tell (docs/sensor.md).
var (
	anyAddress = regexp.MustCompile(`<6t>:::`)
	datagrams  = regexp.MustCompile(`<4u>([0-9.]+:\w+)->([0-9.]+:\w+)`)
)

// guessed makes lines equal in which sysdig has guessed: the version of IP of a
// server on all addresses, and which end of a datagram socket is the client.
func guessed(s string) string {
	s = anyAddress.ReplaceAllString(s, "<4t>:::")
	return datagrams.ReplaceAllStringFunc(s, func(hit string) string {
		m := datagrams.FindStringSubmatch(hit)
		switch {
		case m[1] == m[2]:
			return "<4>" // of zeros: not connected any more
		case m[1] > m[2]:
			return "<4u>" + m[2] + "->" + m[1]
		}
		return hit
	})
}

// fCreated is the bit of a flag that only the newest events have.
const fCreated = 0x4000

// normal replaces numbers that are different in every run: by what they were
// first where it matters which is which, else by a star.
func normal(s string, numbers map[string]string) string {
	known := func(kind, n string) string {
		if len(n) < 3 {
			return n // of a pid namespace
		}
		key := kind + n
		if numbers[key] == "" {
			numbers[key] = kind + strconv.Itoa(len(numbers))
		}
		return numbers[key]
	}
	replace := func(p *regexp.Regexp, kind string) {
		s = p.ReplaceAllStringFunc(s, func(hit string) string {
			m := p.FindStringSubmatch(hit)
			return m[1] + known(kind, m[2])
		})
	}
	s = starters.ReplaceAllString(s, "=(starter)")
	replace(ids, "id")
	replace(born, "id")
	replace(ports, "port")
	s = unixEnds.ReplaceAllString(s, "$1*->* ")
	s = given.ReplaceAllString(s, "fd=0(given)")
	s = pointers.ReplaceAllString(changing.ReplaceAllString(s, "$1=*"), "$1=*")
	s = addresses.ReplaceAllString(s, "$1*")
	s = innerIDs.ReplaceAllString(s, "$1=$2")
	s = created.ReplaceAllStringFunc(s, func(hit string) string {
		m := created.FindStringSubmatch(hit)
		return " flags=" + strconv.Itoa(atoi(m[1])&^fCreated) + m[2]
	})
	s = pipes.ReplaceAllString(s, "pipe:[*]")
	s = guessed(s)
	return longText.ReplaceAllString(oracles.ReplaceAllString(s, "pdig-oracle-*"), "$1...")
}
