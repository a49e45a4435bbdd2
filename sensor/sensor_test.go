package sensor

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/output"
	"github.com/pdig/pdig/sensor/state"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// step is one answer of a source.
type step struct {
	rec []byte
	err error
}

var (
	errQuiet  = os.ErrDeadlineExceeded
	errBroken = errors.New("broken")
)

// fake is a source that brings what it was given, then io.EOF.
type fake struct {
	steps []step
	stats event.Stats
	next  func(i int) // before step i
	i     int
}

func (f *fake) Next() ([]byte, error) {
	if f.next != nil {
		f.next(f.i)
	}
	if f.i == len(f.steps) {
		return nil, io.EOF
	}
	s := f.steps[f.i]
	f.i++
	if s.err == nil {
		f.stats.Seen++
		f.stats.Delivered++
	}
	return s.rec, s.err
}

func (f *fake) Stats() event.Stats { return f.stats }
func (f *fake) Close() error       { return nil }

// rec is a step that brings an event of thread 100.
func rec(t testing.TB, typ uint16, values ...any) step {
	t.Helper()
	return step{rec: testrecord.Make(t, 1700000000000001000, 100, typ, values...)}
}

const (
	openE, openX     = 2, 3
	closeE, closeX   = 4, 5
	readE, readX     = 6, 7
	chdirE, chdirX   = 94, 95
	execveE, execveX = 292, 293
	procExit         = 186
	procInfo         = 234 // of category internal
)

// life is the events of a small program.
func life(t testing.TB) []step {
	return []step{
		rec(t, execveE, "/bin/cat"),
		rec(t, execveX, 0, "cat", []byte("-u\x00a\xff\n\x00"), 100, 100, 1, "", 1024, 0, 1, 2, 3, 0, "cat", []byte{}, []byte("A=\"\\\x00"), 0, 100, -1, 1),
		rec(t, procInfo, 1, 2),
		rec(t, chdirE),
		rec(t, chdirX, 0, "/srv"),
		rec(t, openE, "a\xff", 1, 0),
		rec(t, openX, 3, "a\xff", 1, 0, 0x801, 42),
		rec(t, readE, 3, 80),
		rec(t, readX, 5, []byte("x\n\x00\xc3\xa9"), 3, 80),
		rec(t, closeE, 3),
		rec(t, closeX, 0, 3),
		rec(t, closeE, 3),
		rec(t, closeX, -9, 3),
		rec(t, procExit, 0, 0, 0, 0, 1),
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", name, diff)
	}
}

func TestFormats(t *testing.T) {
	for name, format := range map[string]output.Format{
		"life.txt": &output.Text{}, "life.json": &output.JSON{}, "life.msgpack": &output.Msgpack{},
	} {
		var out bytes.Buffer
		s := New(Config{Source: &fake{steps: life(t)}, State: state.New(state.Config{}), Output: output.NewWriter(&out, format)})
		if err := s.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		golden(t, name, out.Bytes())
	}
}

// run runs a sensor over steps and returns the first word of each line that
// was printed.
func run(t *testing.T, ctx context.Context, cfg Config) (nums string, s *Sensor, err error) {
	t.Helper()
	var out bytes.Buffer
	cfg.State, cfg.Output = state.New(state.Config{}), output.NewWriter(&out, &output.Text{})
	s = New(cfg)
	err = s.Run(ctx)
	var list []string
	for line := range strings.Lines(out.String()) {
		num, _, _ := strings.Cut(line, " ")
		list = append(list, num)
	}
	return strings.Join(list, " "), s, err
}

func TestCount(t *testing.T) {
	got, s, err := run(t, t.Context(), Config{Source: &fake{steps: life(t)}, Count: 4})
	if want := "1 2 4 5"; got != want || err != nil {
		t.Errorf("got events %s, %v, want %s: hidden ones have a number, but do not count", got, err, want)
	}
	if got := s.Stats().Delivered; got != 5 {
		t.Errorf("got %d delivered, want 5", got)
	}
}

func TestNothingPrinted(t *testing.T) {
	src := &fake{steps: append(life(t), step{err: errQuiet})}
	s := New(Config{Source: src, State: state.New(state.Config{}), Count: 3})
	if err := s.Run(t.Context()); err != nil || src.i != 4 {
		t.Errorf("ended after %d records, %v, want 4", src.i, err)
	}
	s = New(Config{Source: src, State: state.New(state.Config{})})
	if err := s.Run(t.Context()); err != nil || src.i != len(src.steps) {
		t.Errorf("ended after %d records, %v, want %d", src.i, err, len(src.steps))
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	quiet := step{err: errQuiet}
	e := rec(t, closeE, 3)
	src := &fake{steps: []step{quiet, e, quiet, e, quiet, e}}
	src.next = func(i int) {
		if i == 4 {
			cancel()
		}
	}
	if got, _, err := run(t, ctx, Config{Source: src}); got != "1 2" || err != nil {
		t.Errorf("quiet: got events %s, %v, want 1 2", got, err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	src = &fake{}
	for range 10 * pollEvery {
		src.steps = append(src.steps, e)
	}
	src.next = func(int) { cancel() }
	if _, _, err := run(t, ctx, Config{Source: src}); err != nil || src.i > pollEvery {
		t.Errorf("never quiet: ended after %d records, %v, want at most %d", src.i, err, pollEvery)
	}
}

// stopping is a source that can be stopped: what it was given is then all.
type stopping struct {
	fake
	stops int
}

func (s *stopping) Stop() { s.stops++ }

// TestDrain is about what a source holds when the capture ends.
func TestDrain(t *testing.T) {
	e := rec(t, closeE, 3)
	quiet := step{err: errQuiet}
	steps := []step{e, quiet, e, e, quiet, e}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := &stopping{fake: fake{steps: steps}}
	if got, _, err := run(t, ctx, Config{Source: src}); got != "1 2 3 4" || err != nil || src.stops == 0 {
		t.Errorf("canceled: got events %s, %v, %d stops, want 1 2 3 4, stopped", got, err, src.stops)
	}

	ctx, cancel = context.WithTimeout(t.Context(), 0)
	defer cancel()
	src = &stopping{fake: fake{steps: steps}}
	if got, _, err := run(t, ctx, Config{Source: src}); got != "" || err != nil || src.stops == 0 {
		t.Errorf("deadline: got events %s, %v, %d stops, want none, stopped", got, err, src.stops)
	}

	src = &stopping{fake: fake{steps: steps}}
	if got, _, err := run(t, t.Context(), Config{Source: src, Count: 2}); got != "1 2" || err != nil || src.stops == 0 {
		t.Errorf("count: got events %s, %v, %d stops, want 1 2, stopped", got, err, src.stops)
	}

	// What was not printed because of an error was asked for.
	src = &stopping{fake: fake{steps: []step{e, {err: errBroken}, e}}}
	if got, _, err := run(t, t.Context(), Config{Source: src}); got != "1" || !errors.Is(err, errBroken) || src.stops != 0 {
		t.Errorf("error: got events %s, %v, %d stops, want 1, %v, not stopped", got, err, src.stops, errBroken)
	}
}

func TestSourceError(t *testing.T) {
	e := rec(t, closeE, 3)
	got, _, err := run(t, t.Context(), Config{Source: &fake{steps: []step{e, {err: errBroken}, e}}})
	if got != "1" || !errors.Is(err, errBroken) {
		t.Errorf("got events %s, %v, want 1, %v", got, err, errBroken)
	}
}

func TestStats(t *testing.T) {
	e := rec(t, closeE, 3)
	unknown := bytes.Clone(e.rec)
	unknown[20], unknown[21] = 0xff, 0xff
	long := bytes.Clone(e.rec)
	long[26], long[27] = 0xff, 0xff
	src := &fake{steps: []step{e, {rec: unknown}, {rec: long}, {rec: long[:7]}, e}}
	src.stats.Seen = 3
	src.stats.Lost[event.CauseRingFull] = 3
	got, s, err := run(t, t.Context(), Config{Source: src})
	if got != "1 2" || err != nil {
		t.Errorf("got events %s, %v, want 1 2", got, err)
	}
	st := s.Stats()
	if st.Seen != 8 || st.Delivered+st.LostTotal() != st.Seen {
		t.Errorf("%d delivered and %d lost are not the %d seen", st.Delivered, st.LostTotal(), st.Seen)
	}
	if got, want := Summary(st), "events: 2 delivered, 6 lost (ring full 3, corrupt 2, unknown type 1)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := Summary(event.Stats{Delivered: 120}), "events: 120 delivered, 0 lost"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// full fails after some bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriteError(t *testing.T) {
	e, quiet := rec(t, closeE, 3), step{err: errQuiet}
	for name, steps := range map[string][]step{
		"quiet": {e, quiet, e, quiet, e, quiet, e},
		"end":   {e, quiet, e, e, e, e},
	} {
		src := &fake{steps: steps}
		s := New(Config{Source: src, State: state.New(state.Config{}), Output: output.NewWriter(&full{100}, &output.Text{})})
		if err := s.Run(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("%s: got %v, want %v", name, err, errBroken)
		}
	}
	// The buffer is full before the source is quiet.
	src := &fake{}
	for range 10000 {
		src.steps = append(src.steps, e)
	}
	s := New(Config{Source: src, State: state.New(state.Config{}), Output: output.NewWriter(&full{}, &output.Text{})})
	if err := s.Run(t.Context()); !errors.Is(err, errBroken) || src.i == len(src.steps) {
		t.Errorf("got %v after %d records, want %v before the end", err, src.i, errBroken)
	}
}

// TestQuietFlush wants a line out as soon as the source is quiet.
func TestQuietFlush(t *testing.T) {
	var out bytes.Buffer
	src := &fake{steps: []step{rec(t, closeE, 3), {err: errQuiet}}}
	src.next = func(i int) {
		if i == 2 && out.Len() == 0 {
			t.Error("nothing printed though the source was quiet")
		}
	}
	s := New(Config{Source: src, State: state.New(state.Config{}), Output: output.NewWriter(&out, &output.Text{})})
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAllocations(t *testing.T) {
	e := life(t)
	table := state.New(state.Config{})
	s := New(Config{State: table, Output: output.NewWriter(io.Discard, &output.Text{})})
	one := func(i int) {
		if _, err := s.record(e[i].rec); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 7 {
		one(i)
	}
	if n := testing.AllocsPerRun(100, func() { one(7); one(8) }); n != 0 {
		t.Errorf("read: got %v allocations, want 0", n)
	}
}

func BenchmarkEvent(b *testing.B) {
	e := life(b)
	for name, w := range map[string]*output.Writer{"text": output.NewWriter(io.Discard, &output.Text{}), "nothing": nil} {
		b.Run(name, func(b *testing.B) {
			s := New(Config{State: state.New(state.Config{}), Output: w})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := s.record(e[7+i&1].rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// file is a source that knows where its records are.
type file struct {
	fake
	hidden map[int]bool
}

func (f *file) Place() (uint16, bool) { return uint16(f.i), f.hidden[f.i] }
func (f *file) Offset() int64         { return int64(f.i) * 100 }

// recorder counts what it gets.
type recorder struct {
	events, hidden, flushes int
	table                   *state.Table
	before                  []string
	err                     error
}

func (r *recorder) Begin(uint64, []byte) error {
	r.before = append(r.before, r.table.Cwd())
	return r.err
}

func (r *recorder) Event(_ uint16, hidden bool, _ []byte) error {
	r.events++
	if hidden {
		r.hidden++
	}
	return r.err
}

func (r *recorder) Flush(bool) error {
	r.flushes++
	return r.err
}

func TestFile(t *testing.T) {
	e := rec(t, closeE, 3)
	container := rec(t, 272, "{}")
	long := bytes.Clone(e.rec)
	long[26], long[27] = 0xff, 0xff
	src := &file{fake: fake{steps: []step{container, e, {rec: long}, e, container, e, {rec: long}}}, hidden: map[int]bool{4: true}}
	got, s, err := run(t, t.Context(), Config{Source: src})
	if want := "2 4 5"; got != want {
		t.Errorf("got events %s, want %s: not the leading one about a container, and not the hidden one", got, want)
	}
	if err == nil || !strings.Contains(err.Error(), "2 records") || !strings.Contains(err.Error(), "offset 300") {
		t.Errorf("got %v, want 2 records, the first at offset 300", err)
	}
	if s.shown.CPU != 6 {
		t.Errorf("got CPU %d, want 6", s.shown.CPU)
	}
}

func TestRecord(t *testing.T) {
	e := rec(t, closeE, 3)
	steps := []step{e, e, {err: errQuiet}, e, rec(t, chdirE), rec(t, chdirX, 0, "/srv"), e}
	table := state.New(state.Config{})
	r := &recorder{table: table}
	src := &file{fake: fake{steps: steps}, hidden: map[int]bool{2: true}}
	if err := New(Config{Source: src, State: table, Record: r}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.events != 6 || r.hidden != 1 || r.flushes == 0 {
		t.Errorf("got %d events, %d hidden, %d flushes, want 6, 1, some", r.events, r.hidden, r.flushes)
	}
	if got := r.before[4:]; got[0] != "" || got[1] != "/srv/" {
		t.Errorf("directories before the last two events: %q, want the state as before each", got)
	}
	r.err = errBroken
	src.i = 0
	if err := New(Config{Source: src, State: table, Record: r}).Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
}
