package top

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/syscalls"
)

func code(name string) uint16 { return syscalls.LookupName(name).Enter[0] }

// watched has seen events of a process that opens a file, writes and fails.
func watched(t *testing.T, cfg Config) (*Top, func(rec []byte)) {
	t.Helper()
	table := state.New(state.Config{})
	table.Restore(&capture.Section{})
	table.Restore(&capture.Process{TID: 7, PID: 7, Comm: "a\nb", Cwd: "/"})
	top := New(cfg)
	var v event.View
	see := func(rec []byte) {
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		table.Apply(&v)
		top.Watch(&v, table)
	}
	see(testrecord.Make(t, 1000, 7, code("openat"), -100, "/tmp/x\x1b[1m", 2, 0))
	see(testrecord.Make(t, 3000, 7, code("openat")+1, 3, -100, "/tmp/x\x1b[1m", 2, 0, 0, 0))
	see(testrecord.Make(t, 4000, 7, code("write"), 3, 50000))
	see(testrecord.Make(t, 5500, 7, code("write")+1, 50000, []byte("data")))
	see(testrecord.Make(t, 6000, 7, code("write"), 3, 10))
	see(testrecord.Make(t, 6500, 7, code("write")+1, -28, []byte{}))
	return top, see
}

func TestTables(t *testing.T) {
	var out bytes.Buffer
	top, see := watched(t, Config{To: &out})
	if err := top.Tick(); err != nil || out.Len() > 0 {
		t.Errorf("got %q, %v without a terminal, want nothing before the end", &out, err)
	}
	if err := top.End(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"events: 6\n",
		"     calls    errors      time  busiest calls\n         2         1       2µs  write\n         1         0       2µs  openat\n",
		"         3         1       4µs  a\\nb (7)\n",
		"     calls      read   written  busiest files\n         3         0       49K  /tmp/x.[1m\n",
		"   written  what was written\n       49K  /tmp/x.[1m\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", &out, want)
		}
	}
	enter, exit := testrecord.Make(t, 7000, 7, code("write"), 3, 50000), testrecord.Make(t, 7500, 7, code("write")+1, 5, []byte("data"))
	if n := testing.AllocsPerRun(100, func() { see(enter); see(exit) }); n != 0 {
		t.Errorf("got %v allocations for a call that was seen before, want 0", n)
	}
}

func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	top, _ := watched(t, Config{To: &out, Size: func() (int, int) { return 24, 20 }})
	for range 3 {
		if err := top.Tick(); err != nil {
			t.Fatal(err)
		}
	}
	if got := out.String(); strings.Count(got, "\x1b[H") != 1 || !strings.HasSuffix(got, "\x1b[J") {
		t.Errorf("got %q, want one page that takes the place of what is there", got)
	}
	for line := range strings.Lines(out.String()) {
		if text := strings.NewReplacer("\x1b[H", "", "\x1b[K", "", "\x1b[J", "", "\n", "").Replace(line); len(text) > 21 {
			t.Errorf("%q is wider than the terminal", text)
		}
	}
}

// TestBounds counts far more names than there is room for.
func TestBounds(t *testing.T) {
	r := newRanking(byCalls)
	busy := key{text: "busy"}
	for i := range 10 * maxCounts {
		r.at(busy).calls++
		r.at(key{text: fmt.Sprint(i)}).calls++
	}
	if len(r.counts) > maxCounts || uint64(len(r.counts))+r.forgotten != 10*maxCounts+1 {
		t.Errorf("%d names kept, %d forgotten of %d", len(r.counts), r.forgotten, 10*maxCounts+1)
	}
	if first := r.sorted(byCalls)[0]; first.key != busy || first.calls != 10*maxCounts {
		t.Errorf("the busiest is %v", first)
	}
}
