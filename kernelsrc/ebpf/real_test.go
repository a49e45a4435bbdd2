package ebpf

import (
	"errors"
	"flag"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/syscalls"
)

// The tests below load the probe of this kernel: see the target guests.
var realObject = flag.String("object", "", "the `file` with the classic probe that was built for this kernel")

func openReal(t *testing.T, cfg Config) (*Driver, *source.Merged) {
	t.Helper()
	if *realObject == "" {
		t.Skip("needs the classic probe of this kernel (-object)")
	}
	cfg.File, cfg.Log = *realObject, zerolog.Nop()
	if cfg.RingSize == 0 {
		cfg.RingSize = 1 << 20
	}
	d, err := Open(cfg)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return d, source.Merge(d)
}

func only(names ...string) func(*syscalls.Call) bool {
	return func(c *syscalls.Call) bool {
		for _, name := range names {
			if c.Name == name {
				return true
			}
		}
		return false
	}
}

// patience is for guests that are emulated on busy machines.
const patience = 5 * time.Minute

// until reads until an event is what is looked for, and does again meanwhile what
// makes it.
func until(t *testing.T, m *source.Merged, what string, do func(), found func(*event.View) bool) {
	t.Helper()
	var view event.View
	for end := time.Now().Add(patience); time.Now().Before(end); {
		do()
		for {
			rec, err := m.Next()
			if err != nil {
				break
			}
			if err := view.Parse(rec); err != nil {
				t.Fatal(err)
			}
			if found(&view) {
				return
			}
		}
	}
	t.Fatalf("not within %v: %s: %+v", patience, what, m.Stats())
}

// TestReal loads the probe once, which takes long, and shows that data come as long as
// asked for, that a CPU that goes and comes is seen again, and that the sum of a flood
// is exact.
func TestReal(t *testing.T) {
	before := descriptors(t)
	d, m := openReal(t, Config{RingSize: 16 * os.Getpagesize(), Snaplen: 3000, Wants: only("getppid", "write")})
	t.Logf("API %s, schema %s", d.api, d.schema)
	t.Run("data", func(t *testing.T) { realData(t, m) })
	t.Run("hotplug", func(t *testing.T) { realHotplug(t, m) })
	t.Run("flood", func(t *testing.T) { realFlood(t, d, m) })
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func realData(t *testing.T, m *source.Merged) {
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	data := []byte(strings.Repeat("0123456789", 500))
	until(t, m, "3000 bytes of a write", func() { _, _ = null.Write(data) }, func(v *event.View) bool {
		at := strings.Index(string(v.Bytes()), "0123456789012345678901234567890123456789")
		return at >= 0 && len(v.Bytes())-at >= 3000 && len(v.Bytes())-at < 3100
	})
}

func realHotplug(t *testing.T, m *source.Merged) {
	const online = "/sys/devices/system/cpu/cpu1/online"
	if err := os.WriteFile(online, []byte("1"), 0); err != nil {
		t.Skip("needs a CPU that can be switched off: ", err)
	}
	on := func(cpu int) func() {
		var set unix.CPUSet
		set.Set(cpu)
		return func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var old unix.CPUSet
			if unix.SchedGetaffinity(0, &old) == nil && unix.SchedSetaffinity(0, &set) == nil {
				unix.Getppid()
				_ = unix.SchedSetaffinity(0, &old)
			}
		}
	}
	from := func(cpu uint16) func(*event.View) bool {
		return func(*event.View) bool { at, _ := m.Place(); return at == cpu }
	}
	both := func() { on(1)(); on(0)() } // CPU 0 tells that there was no ring for CPU 1
	until(t, m, "an event of CPU 1", on(1), from(1))
	for range 2 {
		if err := os.WriteFile(online, []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		until(t, m, "an event of CPU 0", on(0), from(0))
		if err := os.WriteFile(online, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
		until(t, m, "an event of CPU 1 again", both, from(1))
	}
}

// realFlood: more than the rings hold. What was not lost is read, not one is missing
// from the sum.
func realFlood(t *testing.T, d *Driver, m *source.Merged) {
	full := m.Stats().Lost[event.CauseRingFull]
	for i := 0; m.Stats().Lost[event.CauseRingFull] == full; i++ {
		if i == 1e5 {
			t.Fatalf("no ring is full: %+v", m.Stats())
		}
		for range 100 {
			unix.Getppid()
		}
	}
	for _, l := range d.links {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	d.links = nil
	for quiet := 0; quiet < 10; {
		switch _, err := m.Next(); {
		case err == nil:
			quiet = 0
		case errors.Is(err, os.ErrDeadlineExceeded):
			quiet++
		default:
			t.Fatal(err)
		}
	}
	s := m.Stats()
	if s.Delivered == 0 || s.Delivered+s.LostTotal() != s.Seen {
		t.Errorf("%d delivered and %d lost of %d: %+v", s.Delivered, s.LostTotal(), s.Seen, s)
	}
	t.Logf("%+v", s)
}
