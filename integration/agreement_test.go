package integration

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc/ebpf"
	"github.com/pdig/pdig/kernelsrc/kmod"
	"github.com/pdig/pdig/kernelsrc/modern"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// classicProbe is an object that fits this kernel.
var classicProbe = flag.String("ebpf.object", "", "the `file` with the classic probe of this kernel: see the target guests")

var updateDifferences = flag.Bool("update-differences", false, "write the table of docs/engines.md anew")

// TestAgreement has programs watched by every engine that works here at the same time:
// what pdig tells of each thread the others tell too, parameter by parameter. Each
// difference is a row of testdata/differences.txt.
func TestAgreement(t *testing.T) {
	needFirstNamespace(t)
	rows := readDifferences(t)
	schema, engines := openEngines(t)
	if len(engines) == 0 {
		t.Skip("needs an engine of the kernel: CAP_BPF and CAP_PERFMON with BTF, Falco's module, or its probe (-ebpf.object)")
	}
	for _, name := range []string{"parity", "oracle-files"} {
		t.Run(name, func(t *testing.T) {
			program := fixture(t, name)
			dir := filepath.Join(t.TempDir(), "d")
			workplace(t, dir)
			traced := watch(t, engines, schema, program, dir)
			for _, e := range engines {
				t.Run(e.name, func(t *testing.T) { compareEngine(t, e, traced, program, rows) })
			}
		})
	}
	for _, e := range engines {
		s := e.src.Stats()
		t.Logf("%s: %+v", e.name, s)
	}
	for _, d := range rows {
		if !d.used && slices.ContainsFunc(engines, func(e *engineUnderTest) bool { return d.of(e.name) }) {
			t.Logf("no difference here: %s | %s | %s", d.engines, d.event, d.param)
		}
	}
}

// engineUnderTest is a source and what it has told of each thread.
type engineUnderTest struct {
	name    string // as in the table
	src     source.Source
	records [][]byte
}

// openEngines opens those that work here, and tells which events all of them know.
func openEngines(t *testing.T) (schema string, engines []*engineUnderTest) {
	t.Helper()
	const size, snaplen = 32 << 20, 80
	schema = "newest"
	add := func(name string, src source.Source) {
		t.Cleanup(func() {
			if err := src.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		engines = append(engines, &engineUnderTest{name: name, src: src})
	}
	old := func(api fmt.Stringer) string {
		if strings.HasPrefix(api.String(), "1.") {
			schema = "336"
		}
		return api.String()
	}
	switch d, err := kmod.Open(kmod.Config{RingSize: size, Snaplen: snaplen, Log: zerolog.Nop()}); {
	case err == nil:
		add("kmod "+old(d.API()), source.Merge(d))
	case !errors.Is(err, kmod.ErrNotLoaded):
		t.Error(err)
	}
	if *classicProbe != "" {
		d, err := ebpf.Open(ebpf.Config{File: *classicProbe, RingSize: size, Snaplen: snaplen, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		add("ebpf "+old(d.API()), source.Merge(d))
	}
	cfg := modern.Config{RingSize: size, CPUsPerRing: 1, Snaplen: snaplen}
	cfg.Ceiling, _ = strconv.Atoi(schema)
	p, err := modern.Open(cfg)
	switch {
	case err == nil:
		add("modern", p)
	case withoutModern(err):
		t.Logf("without the modern probe: %v", err)
	default:
		t.Error(err)
	}
	return schema, engines
}

// together are several sources, of which those of the kernel see what the first tells of.
type together struct {
	all   []*engineUnderTest
	at    int // whose the last record is
	empty int // how many had none since all had none
}

// Next has no record when each source has had none at its turn. They never have none at
// the same time: of the pauses of this process while one is empty the next one tells.
func (s *together) Next() ([]byte, error) {
	for ; s.empty < len(s.all); s.empty++ {
		rec, err := s.all[s.at].src.Next()
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return rec, err
		}
		s.at = (s.at + 1) % len(s.all)
	}
	s.empty = 0
	return nil, os.ErrDeadlineExceeded
}

func (s *together) Stats() event.Stats { return s.all[0].src.Stats() }
func (s *together) Close() error       { return nil } // each is closed by itself

// overheard is a source that tells of each look at the others, as drivers do that tell of
// the calls of their own reader.
type overheard struct {
	source.Source
	others []*overheard
	news   int
}

func (s *overheard) Next() ([]byte, error) {
	if s.news > 0 {
		s.news--
		return nil, nil
	}
	for _, o := range s.others {
		o.news++
	}
	return nil, os.ErrDeadlineExceeded
}

// TestTogether: sources that tell of the reader's own pauses come to an end.
func TestTogether(t *testing.T) {
	a, b, quiet := &overheard{}, &overheard{}, &overheard{}
	a.others, b.others, quiet.others = []*overheard{b}, []*overheard{a}, []*overheard{a, b}
	s := &together{all: []*engineUnderTest{{src: quiet}, {src: a}, {src: b}}}
	for range 2 {
		for n := 0; ; n++ {
			if _, err := s.Next(); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if n == 100 {
				t.Fatal("there is always a record")
			}
		}
	}
}

// watch runs a program under pdig and all engines.
func watch(t *testing.T, engines []*engineUnderTest, schema, program, dir string) (traced *engineUnderTest) {
	t.Helper()
	prefix := ring(t)
	traced = &engineUnderTest{name: "pdig", src: consume(t, shm.Config{Prefix: prefix})}
	src := &together{all: append([]*engineUnderTest{traced}, engines...)}
	for _, e := range engines {
		e.records = nil
	}
	kin := make([]family, len(src.all))
	cmd := exec.Command(pdigPath, "-e", "all", "--schema", schema, "--ring", prefix, "--on-full", "block", program, schema, dir)
	recordsOf(t, src, cmd, func(pid int, rec []byte) bool {
		if kin[src.at].takes(t, pid, rec) || src.at == 0 {
			e := src.all[src.at]
			e.records = append(e.records, bytes.Clone(rec))
		}
		return false
	}, func() bool {
		for i, e := range src.all {
			if stats := e.src.Stats(); stats.LostTotal() == 0 && !kin[i].ended() {
				return false
			}
		}
		return true
	})
	return traced
}

// heard is an event as text.
type heard struct {
	what   string // its name, and which half
	params []string
	values map[string]string
}

// threadsOf are the events of each thread from when it ran the program.
func threadsOf(t *testing.T, records [][]byte, program string) map[int64][]heard {
	t.Helper()
	threads, begun := map[int64][]heard{}, false
	for i, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if isOtherwise(v.Type()) {
			continue
		}
		e := heard{what: v.Name() + " exit", values: map[string]string{}}
		if syscalls.IsEnter(v.Type()) {
			e.what = v.Name() + " enter"
		}
		for i, p := range v.Info().Params[:min(v.NumParams(), len(v.Info().Params))] {
			e.params = append(e.params, p.Name)
			e.values[p.Name] = paramText(&v, i)
		}
		begun = begun || e.what == "execve exit" && e.values["res"] == "0" && e.values["exe"] == quoteBytes([]byte(program))
		if begun {
			threads[v.TID()] = append(threads[v.TID()], e)
		}
	}
	return threads
}

// isOtherwise reports whether an event comes of no call, or tells of one engine alone.
func isOtherwise(typ uint16) bool {
	switch syscalls.Events[typ].Name {
	case "switch", "signaldeliver", "drop", "cpu_hotplug", "page_fault":
		return true
	}
	return false
}

// compareEngine compares what an engine tells with what pdig does.
func compareEngine(t *testing.T, e, traced *engineUnderTest, program string, rows []unlike) {
	t.Helper()
	want, got := threadsOf(t, traced.records, program), threadsOf(t, e.records, program)
	found := map[[2]string]*seenDifference{} // by event and parameter
	note := func(event, param, example string) {
		d := found[[2]string{event, param}]
		if d == nil {
			d = &seenDifference{example: example}
			found[[2]string{event, param}] = d
		}
		d.times++
	}
	events := 0
	for tid := range want {
		events += len(want[tid])
		for a, b := range aligned(want[tid], got[tid]) {
			switch {
			case b == nil:
				note(a.what, "missing", "")
			case a == nil:
				note(b.what, "more", "")
			default:
				for _, p := range a.params {
					if x, y := a.values[p], b.values[p]; x != y && slices.Contains(b.params, p) {
						note(a.what, p, fmt.Sprintf("pdig %s, %s %s", x, e.name, y))
					}
				}
			}
		}
	}
	if events < 200 {
		t.Fatalf("%d events of %d threads", events, len(want))
	}
	stats, complain := e.src.Stats(), t.Errorf
	lost := stats.Lost[event.CauseNested] + stats.Lost[event.CauseRingFull]
	if lost > 0 {
		complain = t.Logf
	}
	known := 0
	for _, key := range slices.SortedFunc(maps.Keys(found), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		if d := found[key]; isKnown(rows, e.name, key[0], key[1]) {
			known++
		} else {
			complain("%s, %s: %d times: %s", key[0], key[1], d.times, d.example)
		}
	}
	t.Logf("%d events of %d threads, %d known differences", events, len(want), known)
	if lost > 0 && known < len(found) {
		t.Skipf("needs a kernel that neither interrupts the engine while it makes a record nor has more to tell of others than rings hold: %d are lost, which it has counted", lost)
	}
}

type seenDifference struct {
	times   int
	example string
}

// aligned pairs events of two lists in their order, those of the same kind with each
// other: the longest common subsequence, in which those with the same result, or first
// argument, count more. One that has no counterpart is paired with nil.
func aligned(a, b []heard) iter.Seq2[*heard, *heard] {
	best := make([][]uint16, len(a)+1)
	for i := range best {
		best[i] = make([]uint16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			best[i][j] = max(best[i+1][j], best[i][j+1], best[i+1][j+1]+likeness(&a[i], &b[j]))
		}
	}
	return func(yield func(*heard, *heard) bool) {
		i, j := 0, 0
		for i < len(a) || j < len(b) {
			var x, y *heard
			switch {
			case i < len(a) && j < len(b) && likeness(&a[i], &b[j]) > 0 && best[i][j] == best[i+1][j+1]+likeness(&a[i], &b[j]):
				x, y = &a[i], &b[j]
				i, j = i+1, j+1
			case j == len(b) || i < len(a) && best[i][j] == best[i+1][j]:
				x = &a[i]
				i++
			default:
				y = &b[j]
				j++
			}
			if !yield(x, y) {
				return
			}
		}
	}
}

func likeness(a, b *heard) uint16 {
	switch {
	case a.what != b.what:
		return 0
	case len(a.params) > 0 && len(b.params) > 0 && a.params[0] == b.params[0] && a.values[a.params[0]] == b.values[b.params[0]]:
		return 3
	}
	return 2
}

// unlike is a row of the table: where an engine tells something else than pdig.
type unlike struct {
	engines, event, param, why string

	used bool // something was different
}

// of reports whether it is one of that engine.
func (d *unlike) of(engine string) bool {
	for name := range strings.SplitSeq(d.engines, ", ") {
		if name == "all" || strings.HasPrefix(engine, name) {
			return true
		}
	}
	return false
}

// readDifferences reads the table: a line has four parts with bars between them.
func readDifferences(t *testing.T) (rows []unlike) {
	t.Helper()
	for line := range strings.Lines(readFile("testdata/differences.txt") + "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "|")
		if len(f) != 4 {
			t.Fatalf("testdata/differences.txt: %q has %d parts, not 4", line, len(f))
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		rows = append(rows, unlike{engines: f[0], event: f[1], param: f[2], why: f[3]})
	}
	if len(rows) == 0 {
		t.Fatal("testdata/differences.txt has no rows")
	}
	return rows
}

// isKnown reports whether a difference is a row. The engines of a row may lack versions,
// its event and parameter may be patterns.
func isKnown(rows []unlike, engine, what, param string) bool {
	matches := func(pattern, s string) bool {
		ok, err := path.Match(pattern, s)
		return ok && err == nil
	}
	i := slices.IndexFunc(rows, func(d unlike) bool {
		return d.of(engine) && matches(d.event, what) && matches(d.param, param)
	})
	if i >= 0 {
		rows[i].used = true
	}
	return i >= 0
}

// TestDifferencesDocumented: the table of the document is that of the test.
func TestDifferencesDocumented(t *testing.T) {
	const name, from, to = "../docs/engines.md", "<!-- differences -->\n", "<!-- end of differences -->\n"
	doc, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), from)
	_, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", name)
	}
	escape := strings.NewReplacer("*", `\*`).Replace
	var b strings.Builder
	b.WriteString(before + from + "| engines | event | parameter | why |\n|---|---|---|---|\n")
	for _, d := range readDifferences(t) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", d.engines, escape(d.event), escape(d.param), d.why)
	}
	b.WriteString(to + after)
	if b.String() == string(doc) {
		return
	}
	if !*updateDifferences {
		t.Fatalf("%s has another table than testdata/differences.txt: -update-differences writes it", name)
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
