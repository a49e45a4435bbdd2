package capture

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// flight is a recorder of numbered events, and what they were told to begin
// with.
type flight struct {
	*Recent
	t    *testing.T
	path string
	n    int
}

func newFlight(t *testing.T, pack bool) *flight {
	f := &flight{t: t, path: filepath.Join(t.TempDir(), "f")}
	r, err := NewRecent(RecentConfig{Path: f.path, Pack: pack, Size: 1 << 20, Begin: func(_ []byte, add func(Entry)) {
		add(&Process{TID: 100, PID: 100, Comm: strconv.Itoa(f.n)})
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.Recent = r
	return f
}

// fly passes more events.
func (f *flight) fly(n int) {
	f.t.Helper()
	for range n {
		if err := put(f, 1, 0, false, rec("/"+strconv.Itoa(f.n)+strings.Repeat("x", 200))); err != nil {
			f.t.Fatal(err)
		}
		f.n++
	}
}

// check wants the newest events in a file, and what was known when the first of
// them came. It returns how many there are.
func (f *flight) check(path string) int {
	f.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	lines, err := read(bytes.NewReader(b))
	if err != nil || len(lines) < 3 {
		f.t.Fatalf("%v, %q", err, lines)
	}
	events := lines[2:]
	for i, line := range events {
		if want := `"/` + strconv.Itoa(f.n-len(events)+i) + "x"; !strings.Contains(line, want) {
			f.t.Fatalf("event %d is %q, want one with %s", i, line, want)
		}
	}
	if want := "Comm:" + strconv.Itoa(f.n-len(events)) + " "; !strings.Contains(lines[1], want) {
		f.t.Errorf("it begins with %q, want %s", lines[1], want)
	}
	return len(events)
}

func TestRecent(t *testing.T) {
	for _, pack := range []bool{false, true} {
		f := newFlight(t, pack)
		f.fly(100)
		f.Ask()
		if err := f.Flush(false); err != nil {
			t.Fatal(err)
		}
		if got := f.check(f.path + ".1"); got != 100 {
			t.Errorf("got %d events, want all 100", got)
		}
		f.fly(20000)
		f.Ask()
		if err := f.Begin(1, rec("/")); err != nil {
			t.Fatal(err)
		}
		asked := f.check(f.path + ".2")
		f.fly(10)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		const most, least = 1 << 20 / 260, 1 << 20 / 270 * (numPieces - 2) / numPieces
		if n := f.check(f.path); n > most || n < least || asked > most || asked < least {
			t.Errorf("got %d and %d events, want from %d to %d", asked, n, least, most)
		}
	}
}

// TestRecentSections reads what was a capture with another one behind it.
// TestRecentAgain wants what earlier runs were asked for to stay, and to be told of what does
// not.
func TestRecentAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, name := range []string{"f", "f.1", "f.7", "f.x", "f.08"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	r, err := NewRecent(RecentConfig{Path: path, Size: 1 << 20, Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	r.Ask()
	if err := errors.Join(r.Flush(false), r.Close()); err != nil {
		t.Fatal(err)
	}
	for name, old := range map[string]bool{"f": false, "f.1": true, "f.7": true, "f.8": false, "f.x": true, "f.08": true} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || (string(b) == "old") != old {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
	if !strings.Contains(log.String(), "an older file is overwritten") {
		t.Errorf("log: %s", &log)
	}
}

func TestRecentSections(t *testing.T) {
	f := newFlight(t, false)
	f.Add(&Section{})
	f.fly(3)
	f.Add(&Section{})
	f.fly(2)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := read(bytes.NewReader(b))
	if err != nil || len(lines) != 2+3+2+2 || !strings.Contains(lines[6], "Comm:3 ") {
		t.Errorf("%v, %q", err, lines)
	}
}

// TestRecentEmpty has nothing to write, or nowhere.
func TestRecentEmpty(t *testing.T) {
	f := newFlight(t, false)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(f.path); err != nil || len(b) == 0 {
		t.Errorf("got %d bytes, %v, want a section", len(b), err)
	}
	if _, err := NewRecent(RecentConfig{Path: "/proc/self/nosuch/f"}); err == nil {
		t.Error("a file in no directory")
	}
}

func TestRecentAllocations(t *testing.T) {
	f := newFlight(t, false)
	f.fly(10000)
	r := rec("/srv/data")
	if n := testing.AllocsPerRun(1000, func() {
		if err := put(f, 1, 0, false, r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations an event, want 0", n)
	}
}
