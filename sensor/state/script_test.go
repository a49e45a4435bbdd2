package state

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/syscalls"
)

var update = flag.Bool("update", false, "write what is printed into the scripts")

// A script has a line for each event, see [testrecord.Line], and below it, after a
// tab, what is printed for it.
type script struct {
	path  string
	lines []string
}

func scripts(t *testing.T) []*script {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var all []*script
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &script{path, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")})
	}
	return all
}

// oldest says that sysdig 0.29.3 knows all events of the script and prints the
// same.
func (s *script) oldest() bool { return !strings.HasPrefix(filepath.Base(s.path), "own-") }

// isEvent tells the lines that are events.
func isEvent(line string) bool { return line != "" && line[0] != '#' && line[0] != '\t' }

// run passes the events of the script to f, with the place of their line.
func (s *script) run(t *testing.T, f func(i int, rec []byte)) {
	var e event.Encoder
	for i, line := range s.lines {
		if !isEvent(line) {
			continue
		}
		rec, err := testrecord.Line(&e, startTime, line)
		if err != nil {
			t.Fatalf("%s:%d: %v", s.path, i+1, err)
		}
		f(i, rec)
	}
}

const startTime = 1700000000000000000

// newTable knows the process of the capture's header.
func (s *script) newTable() *Table { return newTable(s.oldest()) }

func newTable(sysdig bool) *Table {
	t := New(Config{Sysdig: sysdig})
	th := t.add(100)
	th.Comm, th.leader, th.origin = "pp", th, fromList
	t.childOf(th, 1)
	th.dir.path = "/srv/"
	return t
}

// print is what the sensor shows of an event, without number, time and CPU.
func print(tab *Table, v *event.View) string {
	var p event.Printer
	dir := '<'
	if syscalls.IsEnter(v.Type()) {
		dir = '>'
	}
	th := tab.Current()
	return string(p.AppendInfo(fmt.Appendf(nil, "%s (%d) %c %s ", th.Comm, v.TID(), dir, v.Name()), v, tab))
}

func TestScripts(t *testing.T) {
	for _, s := range scripts(t) {
		t.Run(filepath.Base(s.path), func(t *testing.T) {
			tab := s.newTable()
			var v event.View
			printed := map[int]string{}
			s.run(t, func(i int, rec []byte) {
				if err := v.Parse(rec); err != nil {
					t.Fatalf("%s:%d: %v", s.path, i+1, err)
				}
				tab.Apply(&v)
				printed[i] = print(tab, &v)
			})
			var got []string
			for i, line := range s.lines {
				if !strings.HasPrefix(line, "\t") {
					got = append(got, line)
				}
				if text, ok := printed[i]; ok {
					got = append(got, "\t"+text)
				}
			}
			if *update {
				if err := os.WriteFile(s.path, []byte(strings.Join(got, "\n")+"\n"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(s.lines, got); diff != "" && !*update {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestSysdig has sysdig print the scripts.
func TestSysdig(t *testing.T) {
	for _, s := range scripts(t) {
		if !s.oldest() {
			continue
		}
		t.Run(filepath.Base(s.path), func(t *testing.T) {
			var c scap
			c.header()
			var want []string
			s.run(t, func(i int, rec []byte) {
				c.event(rec)
				line := ""
				if i+1 < len(s.lines) {
					line = strings.TrimPrefix(s.lines[i+1], "\t")
				}
				want = append(want, line)
			})
			got := c.sysdig(t)
			if len(got) != len(want) {
				t.Errorf("sysdig printed %d events, want %d", len(got), len(want))
			}
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("event %d:\nsysdig %s\nours   %s", i+1, got[i], want[i])
				}
			}
		})
	}
}

func FuzzApply(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var e event.Encoder
		var stream []byte
		for line := range strings.Lines(string(b)) {
			if isEvent(strings.TrimSuffix(line, "\n")) {
				if rec, err := testrecord.Line(&e, startTime, line); err == nil {
					stream = append(stream, rec...)
				}
			}
		}
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, sysdig := range [...]bool{false, true} {
			tab := New(Config{Sysdig: sysdig, MaxThreads: 8, MaxFDs: 4, MaxAllFDs: 12, MaxText: 200})
			var v event.View
			for rest := stream; len(rest) > 0 && v.Parse(rest) == nil; rest = rest[v.Len():] {
				tab.Apply(&v)
				print(tab, &v)
				check(t, tab)
			}
		}
	})
}

// check that the counters are right and the bounds are kept.
func check(t *testing.T, tab *Table) {
	t.Helper()
	seen := map[*files]int{}
	members := map[*Thread]int{}
	children := map[int64]int{}
	programs := 0
	for tid, th := range tab.threads {
		programs += th.text
		if th.TID != tid {
			t.Fatalf("thread %d stands under %d", th.TID, tid)
		}
		seen[th.files]++
		if th.PTID >= 0 {
			children[th.PTID]++
		}
		if th.leader != nil && th.leader != th {
			members[th.leader]++
		}
	}
	seen[tab.spare.files]++
	if !maps.Equal(tab.children, children) {
		t.Fatalf("processes have so many children: %v, want %v", tab.children, children)
	}
	if got := tab.Stats().Programs; got != programs || got > 4*tab.cfg.MaxText {
		t.Fatalf("programs have %d bytes, want %d", got, programs)
	}
	descriptors, text := 0, 0
	for f, refs := range seen {
		if f.refs != refs {
			t.Fatalf("a table of descriptors counts %d users, want %d", f.refs, refs)
		}
		if len(f.fds) > tab.cfg.MaxFDs {
			t.Fatalf("%d descriptors, want at most %d", len(f.fds), tab.cfg.MaxFDs)
		}
		descriptors += len(f.fds)
		for _, d := range f.fds {
			text += d.text()
		}
	}
	for th, n := range members {
		if th.members != n {
			t.Fatalf("process %d counts %d other threads, want %d", th.TID, th.members, n)
		}
	}
	if got := tab.Stats(); got.Text != text || text > tab.cfg.MaxText {
		t.Fatalf("got %d bytes of names, want %d", got.Text, text)
	}
	if got := tab.Stats(); got.Descriptors != descriptors || got.Descriptors > tab.cfg.MaxAllFDs || got.Threads > tab.cfg.MaxThreads {
		t.Fatalf("got %+v, want %d descriptors", got, descriptors)
	}
}

// TestBookkeeping has a script's state checked after every event.
func TestBookkeeping(t *testing.T) {
	for _, s := range scripts(t) {
		tab := s.newTable()
		var v event.View
		s.run(t, func(_ int, rec []byte) {
			if err := v.Parse(bytes.Clone(rec)); err != nil {
				t.Fatal(err)
			}
			tab.Apply(&v)
			check(t, tab)
		})
	}
}
