package kmod

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/kernelsrc"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/syscalls"
)

// generations are the versions of the interfaces that modules in use have.
var generations = []struct {
	name        string
	api, schema Version
	counters    counters
}{
	{"scap", kernelsrc.MakeVersion(1, 0, 0), kernelsrc.MakeVersion(1, 0, 0), counters{24, 32}},
	{"falco", kernelsrc.MakeVersion(2, 0, 0), kernelsrc.MakeVersion(2, 1, 0), counters{120, 128}},
	{"falco", kernelsrc.MakeVersion(3, 0, 0), kernelsrc.MakeVersion(2, 2, 0), counters{120, 128}},
	{"falco", kernelsrc.MakeVersion(4, 0, 1), kernelsrc.MakeVersion(2, 4, 1), counters{120, 128}},
	{"falco", kernelsrc.MakeVersion(5, 0, 0), kernelsrc.MakeVersion(2, 10, 0), counters{136, 144}},
	{"scap", kernelsrc.MakeVersion(8, 0, 3), kernelsrc.MakeVersion(3, 5, 0), counters{136, 144}},
	{"scap", kernelsrc.MakeVersion(8, 0, 4), kernelsrc.MakeVersion(4, 1, 0), counters{104, 112}},
	{"falco", kernelsrc.MakeVersion(10, 1, 0), kernelsrc.MakeVersion(4, 5, 1), counters{104, 112}},
}

// openDouble opens a double of a module.
func openDouble(t *testing.T, d *double, name string, change func(*Config)) (*Driver, error) {
	t.Helper()
	cfg := Config{Root: d.root(name), Log: zerolog.Nop()}
	if change != nil {
		change(&cfg)
	}
	drv, err := open(cfg, d)
	if err == nil {
		t.Cleanup(func() {
			if err := drv.Close(); err != nil {
				t.Error(err)
			}
			if len(d.opened) > 0 {
				t.Errorf("%d devices are still open", len(d.opened))
			}
			if len(d.tids) != 1 {
				t.Errorf("opened by %d threads, want 1", len(d.tids))
			}
		})
	}
	return drv, err
}

func eachGeneration(t *testing.T, f func(t *testing.T, d *double, name string)) {
	t.Parallel()
	for _, g := range generations {
		t.Run(g.api.String(), func(t *testing.T) { t.Parallel(); f(t, newDouble(t, g.api, g.schema, 4), g.name) })
	}
}

// times reads all that there is, and returns the times.
func times(t *testing.T, m *source.Merged) (all []uint64) {
	t.Helper()
	for quiet := 0; quiet < 3; {
		rec, err := m.Next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			quiet++
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, event.Time(rec))
			quiet = 0
		}
	}
	return all
}

// TestMergedRings: records of all CPUs in the order of their times, also where a
// ring wraps.
func TestMergedRings(t *testing.T) {
	eachGeneration(t, func(t *testing.T, d *double, name string) {
		d.online[2] = false
		drv, err := openDouble(t, d, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := source.Merge(drv)
		var want, got []uint64
		const rounds, each = 12, 200
		ts := uint64(1)
		for range rounds {
			for range each {
				for _, cpu := range []int{3, 0, 1} {
					d.opened[cpu].write(testrecord.Make(t, ts, 7, syscalls.GenericE, 5, 39))
					want = append(want, ts)
					ts++
				}
			}
			got = append(got, times(t, m)...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if s := m.Stats(); s.Seen != uint64(len(want)) || s.Delivered != s.Seen || s.LostTotal() != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

// TestWanted: what each generation is asked to record.
func TestWanted(t *testing.T) {
	wants := func(c *syscalls.Call) bool { return c.Name == "openat" || c.Name == "getpid" }
	eachGeneration(t, func(t *testing.T, d *double, name string) {
		if _, err := openDouble(t, d, name, func(c *Config) { c.Wants, c.Snaplen = wants, 1<<20 }); err != nil {
			t.Fatal(err)
		}
		f := d.opened[0]
		if f.snaplen != maxSnaplen {
			t.Errorf("snaplen %d", f.snaplen)
		}
		switch d.api.Major() {
		case 1, 2:
			openat := syscalls.LookupName("openat")
			enter, _ := openat.Event(syscalls.CeilingA)
			for typ, off := range map[uint16]bool{
				enter: false, enter + 1: false, syscalls.GenericE: false, syscalls.ProcExitE: false,
				syscalls.ExecveX: true, eventSwitch: true, eventSignal: true,
			} {
				if f.events[uint(typ)] != off {
					t.Errorf("event %d: off %v", typ, f.events[uint(typ)])
				}
			}
			for cpu, dev := range d.opened {
				if !dev.recording {
					t.Errorf("CPU %d does not record", cpu)
				}
			}
		default:
			on := 0
			for nr, is := range f.calls {
				if is {
					on++
					if c := syscalls.Lookup(syscalls.Native, int(nr)); c == nil || !wants(c) {
						t.Errorf("call %d is on", nr)
					}
				}
			}
			if on != 2 {
				t.Errorf("%d calls are on, want 2", on)
			}
		}
		if d.api.Major() >= 2 && f.tracepoints&(1<<tpSysExit|1<<tpProcExit|1<<tpSwitch) != 1<<tpSysExit|1<<tpProcExit {
			t.Errorf("tracepoints %#b", f.tracepoints)
		}
	})
}

// TestCounters: what was lost, by cause, of all rings, and after they are closed.
func TestCounters(t *testing.T) {
	for _, g := range generations {
		t.Run(g.api.String(), func(t *testing.T) {
			d := newDouble(t, g.api, g.schema, 2)
			drv, err := openDouble(t, d, g.name, nil)
			if err != nil {
				t.Fatal(err)
			}
			for cpu := range 2 {
				f := d.opened[cpu]
				f.count(offEvts, 10)
				f.count(offFull, 3)
				f.count(g.counters.memory, 2)
				f.count(g.counters.nested, 1)
			}
			want := event.Stats{Seen: 20}
			want.Lost[event.CauseRingFull], want.Lost[event.CauseMemory], want.Lost[event.CauseNested] = 6, 4, 2
			if diff := cmp.Diff(want, drv.Stats()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFull: a ring that is full takes no more, and its room comes back.
func TestFull(t *testing.T) {
	t.Parallel()
	d := newDouble(t, kernelsrc.MakeVersion(8, 0, 4), kernelsrc.MakeVersion(4, 1, 0), 1)
	drv, err := openDouble(t, d, "scap", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := source.Merge(drv)
	const n = 5000
	for ts := range uint64(n) {
		d.opened[0].write(testrecord.Make(t, ts, 7, syscalls.GenericE, 5, 39))
	}
	got := times(t, m)
	s := m.Stats()
	if s.Seen != n || s.Lost[event.CauseRingFull] == 0 || s.Delivered+s.LostTotal() != n || uint64(len(got)) != s.Delivered {
		t.Errorf("%d read: %+v", len(got), s)
	}
	d.opened[0].write(testrecord.Make(t, n, 7, syscalls.GenericE, 5, 39))
	if got := times(t, m); len(got) != 1 || got[0] != n {
		t.Errorf("got %v", got)
	}
}

// TestBadRecords: what is no record is counted and skipped.
func TestBadRecords(t *testing.T) {
	t.Parallel()
	good := testrecord.Make(t, 1, 7, syscalls.GenericE, 5, 39)
	change := func(at int, b ...byte) []byte {
		rec := append([]byte(nil), good...)
		copy(rec[at:], b)
		return rec
	}
	for name, row := range map[string]struct {
		bad   []byte
		cause event.Cause
		after int // records that are still found behind it
	}{
		"unknown type":         {change(20, 0xff, 0xff), event.CauseUnknown, 1},
		"too many parameters":  {change(22, 0xff), event.CauseCorrupt, 1},
		"length 0":             {change(16, 0, 0), event.CauseCorrupt, 0},
		"longer than the rest": {change(16, 0xff, 0x7f), event.CauseCorrupt, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, kernelsrc.MakeVersion(8, 0, 3), kernelsrc.MakeVersion(3, 5, 0), 1)
			drv, err := openDouble(t, d, "scap", nil)
			if err != nil {
				t.Fatal(err)
			}
			m := source.Merge(drv)
			for _, rec := range [][]byte{good, row.bad, good} {
				d.opened[0].write(rec)
			}
			if got := times(t, m); len(got) != 1+row.after {
				t.Errorf("%d records", len(got))
			}
			if s := m.Stats(); s.Lost[row.cause] != 1 {
				t.Errorf("got %+v", s)
			}
			d.opened[0].write(good)
			if got := times(t, m); len(got) != 1 {
				t.Errorf("%d records afterwards", len(got))
			}
			d.opened[0].word(offHead).Store(1 << 30)
			if got := times(t, m); len(got) != 0 {
				t.Errorf("%d records of a wild head", len(got))
			}
		})
	}
}

// TestHotplug: a CPU that comes online gets its ring, and nothing is lost of the
// others.
func TestHotplug(t *testing.T) {
	d := newDouble(t, kernelsrc.MakeVersion(8, 0, 4), kernelsrc.MakeVersion(4, 1, 0), 2)
	d.online[1] = false
	drv, err := openDouble(t, d, "scap", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := source.Merge(drv)
	d.online[1] = true
	d.opened[0].write(testrecord.Make(t, 1, 7, kernelsrc.TypeHotplug, 1, 0))
	d.opened[0].write(testrecord.Make(t, 2, 7, syscalls.GenericE, 5, 39))
	if got := times(t, m); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if d.opened[1] == nil {
		t.Fatal("the CPU has no ring")
	}
	d.opened[1].write(testrecord.Make(t, 3, 7, syscalls.GenericE, 5, 39))
	if got := times(t, m); len(got) != 1 || got[0] != 3 {
		t.Errorf("got %v", got)
	}
	before := d.opened[1]
	d.opened[0].write(testrecord.Make(t, 4, 7, kernelsrc.TypeHotplug, 1, 2))
	if got := times(t, m); len(got) != 1 || d.opened[1] != before {
		t.Errorf("a CPU that goes: got %v, ring kept: %v", got, d.opened[1] == before)
	}
	if s := m.Stats(); s.Seen != 4 || s.Delivered != 4 {
		t.Errorf("got %+v", s)
	}
}

// TestHotplugBusy: as long as the module cannot be opened anew it is tried.
func TestHotplugBusy(t *testing.T) {
	d := newDouble(t, kernelsrc.MakeVersion(8, 0, 4), kernelsrc.MakeVersion(4, 1, 0), 2)
	d.online[1] = false
	drv, err := openDouble(t, d, "scap", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := source.Merge(drv)
	d.online[1], d.consumers = true, doubleConsumers
	d.opened[0].write(testrecord.Make(t, 1, 7, kernelsrc.TypeHotplug, 1, 1))
	if got := times(t, m); len(got) != 1 || len(d.opened) > 0 {
		t.Errorf("got %v, %d devices are open", got, len(d.opened))
	}
	d.consumers = 0
	times(t, m)
	if len(d.opened) != 2 {
		t.Errorf("%d devices are open, want 2", len(d.opened))
	}
}

// TestRefused: why a module cannot be used.
func TestRefused(t *testing.T) {
	t.Run("not loaded", func(t *testing.T) {
		_, err := Open(Config{Root: t.TempDir()})
		want := "the kernel module is not loaded: there is no device /dev/falco0 nor /dev/scap0"
		if !errors.Is(err, ErrNotLoaded) || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("versions", func(t *testing.T) {
		d := newDouble(t, kernelsrc.MakeVersion(11, 2, 3), kernelsrc.MakeVersion(5, 0, 1), 1)
		_, err := openDouble(t, d, "falco", nil)
		var bad *VersionError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "API version 11.2.3 and schema version 5.0.1") {
			t.Errorf("got %v", err)
		}
		if len(d.opened) > 0 {
			t.Error("a device is still open")
		}
	})
	t.Run("consumers", func(t *testing.T) {
		d := newDouble(t, kernelsrc.MakeVersion(8, 0, 4), kernelsrc.MakeVersion(4, 1, 0), 1)
		d.consumers = doubleConsumers
		if _, err := openDouble(t, d, "scap", nil); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("offline", func(t *testing.T) {
		d := newDouble(t, kernelsrc.MakeVersion(8, 0, 4), kernelsrc.MakeVersion(4, 1, 0), 1)
		d.online[0] = false
		if _, err := openDouble(t, d, "scap", nil); err == nil || !strings.Contains(err.Error(), "all CPUs are offline") {
			t.Errorf("got %v", err)
		}
	})
}

// TestRingSize: rings of the size that was asked for, or of that which a module
// has that cannot be asked.
func TestRingSize(t *testing.T) {
	for _, g := range generations {
		t.Run(g.api.String(), func(t *testing.T) {
			d := newDouble(t, g.api, g.schema, 1)
			root := d.root(g.name)
			want := 1 << 20
			param := filepath.Join(root, "sys/module", g.name, "parameters/g_buffer_bytes_dim")
			cfg := Config{Root: root, RingSize: want, Log: zerolog.Nop()}
			d.size = want // what the real module takes over from its parameter
			drv, err := open(cfg, d)
			if err != nil {
				t.Fatal(err)
			}
			defer drv.Close()
			if g.api.Major() == 1 {
				want = fixedSize
			} else if text, err := os.ReadFile(param); err != nil || string(text) != fmt.Sprint(want) {
				t.Errorf("the parameter is %q, %v", text, err)
			}
			if drv.rings[0].size != want || bits.OnesCount(uint(want)) != 1 {
				t.Errorf("size %d", drv.rings[0].size)
			}
		})
	}
}
