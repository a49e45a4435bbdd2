package ebpf

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc/realtest"
	"github.com/pdig/pdig/sensor/source"
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

// TestReal loads the probe once, which takes long, and shows that data come as long as
// asked for, that a CPU that goes and comes is seen again, and that the sum of a flood
// is exact.
func TestReal(t *testing.T) {
	before := realtest.Descriptors(t)
	d, m := openReal(t, Config{RingSize: 16 * os.Getpagesize(), Snaplen: 3000, Wants: realtest.Only("getppid", "write")})
	t.Logf("API %s, schema %s", d.api, d.schema)
	t.Run("data", func(t *testing.T) { realtest.Data(t, m) })
	t.Run("hotplug", func(t *testing.T) { realtest.Hotplug(t, m) })
	t.Run("flood", func(t *testing.T) { realFlood(t, d, m) })
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if after := realtest.Descriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
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
	realtest.Exact(t, m.Stats())
}
