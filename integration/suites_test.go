package integration

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Suites are programs of others that say themselves what works. What they say
// natively they have to say under pdig.

var suitesAll = flag.Bool("suites", false, "run all suites of others, in more ways, and print a table")

// suite is one of them.
type suite struct {
	name  string
	quick bool          // does not take long
	root  bool          // what it does takes the rights of root, or is another thing without
	ways  []string      // in which to run it besides the two usual ones
	needs []string      // programs
	more  []string      // options of pdig in all ways
	lacks func() string // what else there is not, nil for nothing
	// looks is how the names of tests begin that skip themselves when /proc shows
	// a tracer.
	looks string
	// run runs it in a way, in a directory of its own.
	run func(t *testing.T, w *way, dir string) verdicts
}

// verdicts are what a suite says of its tests.
type verdicts map[string]string

const (
	passed  = "pass"
	failed  = "fail"
	skipped = "skip"
)

// better takes over what passed in a further run: tests of others depend on
// how busy the machine is.
func (v verdicts) better(w verdicts) {
	for name, verdict := range w {
		if v[name] != passed {
			v[name] = verdict
		}
	}
}

// differs are the tests of which got says worse than v.
func (v verdicts) differs(got verdicts) (lines []string) {
	names := maps.Clone(v)
	maps.Copy(names, got)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != v[name] && got[name] != passed {
			lines = append(lines, fmt.Sprintf("%s: native %q, traced %q", name, v[name], got[name]))
		}
	}
	return lines
}

// without is v where it is no matter that got skips tests with names that begin so.
func (v verdicts) without(looks string, got verdicts) verdicts {
	v = maps.Clone(v)
	for name, verdict := range got {
		if looks != "" && strings.HasPrefix(name, looks) && verdict == skipped {
			v[name] = skipped
		}
	}
	return v
}

func (v verdicts) count(verdict string) (n int) {
	for _, is := range v {
		if is == verdict {
			n++
		}
	}
	return n
}

// suiteWays are the ways to run a suite under pdig: without and with a sensor
// that reads.
var suiteWays = []struct {
	name    string
	reader  bool
	options []string
}{
	{"no reader", false, []string{"-a"}},
	{"reader", true, []string{"-a"}},
	{"all", true, []string{"-e", "all"}},
	{"block", true, []string{"-a", "--on-full", "block"}},
	{"never", true, []string{"-a", "--seccomp", "never"}},
}

// suitePatience is how long one run of a suite may take.
const suitePatience = 30 * time.Minute

// tries are how many runs a test has in which to pass.
const tries = 3

// suiteTable is what is printed of all of them, each row when it is there: whoever
// ends it before keeps what there was.
type suiteTable struct{ rows, missing int }

func (s *suiteTable) row(suite, way string, v verdicts, differ int, took time.Duration) {
	if s.rows++; s.rows == 1 {
		fmt.Printf("%-24s %-10s %7s %7s %7s %7s %7s\n", "suite", "way", "passed", "skipped", "failed", "differ", "took")
	}
	fmt.Printf("%-24s %-10s %7d %7d %7d %7d %5.0f s\n", suite, way,
		v.count(passed), v.count(skipped), len(v)-v.count(passed)-v.count(skipped), differ, took.Seconds())
}

func (s *suiteTable) lacks(suite, reason string) {
	s.missing++
	fmt.Printf("%s: not run: %s\n", suite, reason)
}

// TestSuites compares them.
func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	var table suiteTable
	for _, s := range suites {
		if !s.quick && !*suitesAll {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if reason := s.missing(); reason != "" {
				if *suitesAll {
					table.lacks(s.name, reason)
				}
				t.Skip(reason)
			}
			if !*suitesAll {
				t.Parallel()
			}
			s.compare(t, &table)
		})
	}
	if *suitesAll && table.rows+table.missing == 0 {
		t.Errorf("no suite has such a name: there are %s", suiteNames())
	}
}

// suiteNames are the names that SUITES of make may select. They are without a
// slash, at which the pattern of a test would be cut.
func suiteNames() string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// missing says what the machine does not have for it.
func (s *suite) missing() string {
	for _, name := range s.needs {
		if _, err := exec.LookPath(name); err != nil {
			return "no " + name + " on this machine"
		}
	}
	if s.root && os.Geteuid() != 0 {
		return "needs root: without, pdig takes the rights from setuid programs"
	}
	if s.lacks != nil {
		return s.lacks()
	}
	return ""
}

// compare runs it natively and in each of its ways.
func (s *suite) compare(t *testing.T, table *suiteTable) {
	began := time.Now()
	want := s.run(t, &way{}, suiteDir(t))
	if want.count(passed) == 0 {
		t.Fatalf("nothing passes natively: %v", want)
	}
	if *suitesAll {
		table.row(s.name, "native", want, 0, time.Since(began))
	}
	for i, how := range suiteWays {
		if i > 1 && (!*suitesAll || !slices.Contains(s.ways, how.name)) {
			continue
		}
		t.Run(how.name, func(t *testing.T) {
			began := time.Now()
			w := &way{traced: true, prefix: ring(t), options: slices.Concat(how.options, s.more)}
			if how.reader {
				w.options = append(w.options, "--wait-sensor", "30s")
				startSensor(t, w.prefix)
			}
			got := s.run(t, w, suiteDir(t))
			want := want.without(s.looks, got)
			took := time.Since(began)
			for range tries - 1 {
				if len(want.differs(got)) == 0 {
					break
				}
				got.better(s.run(t, w, suiteDir(t)))
			}
			differ := want.differs(got)
			for _, line := range differ {
				t.Error(line)
			}
			if *suitesAll {
				table.row(s.name, how.name, got, len(differ), took)
			}
		})
	}
}

// suiteDir is an empty directory that all may look into, with a short name, for
// sockets.
func suiteDir(t *testing.T) string { return dirOf(t, os.Geteuid()) }

// startSensor starts a reader of a ring whose lines nobody wants.
func startSensor(t *testing.T, prefix string) {
	t.Helper()
	p := start(t, exec.Command(sensorPath, "-u", "--ring", prefix, "-o", os.DevNull))
	p.timer.Reset(tries * suitePatience)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		r := p.wait(t)
		if r.status != 0 {
			t.Errorf("sensor: %s", r)
		}
		t.Log(strings.TrimSpace(r.stderr))
	})
}

// runSuite runs a command of a suite to its end.
func (w *way) runSuite(t *testing.T, dir string, env []string, argv ...string) result {
	t.Helper()
	argv = w.command(argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...) // with the directory in PWD
	p := start(t, cmd)
	p.timer.Reset(suitePatience)
	r := p.wait(t)
	if r.status != 0 {
		t.Logf("status %#x, the end of what it said: %s%s", uint32(r.status), tail(r.stdout), tail(r.stderr))
	}
	return r
}

// tail is the end of a long text.
func tail(text string) string { return text[max(0, len(text)-4000):] }
