package kmod

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc/realtest"
	"github.com/pdig/pdig/sensor/source"
)

// The tests below read the module of this machine: see the target guests.

// openReal opens it, or skips the test.
func openReal(t *testing.T, change func(*Config)) (*Driver, *source.Merged) {
	t.Helper()
	cfg := Config{Log: zerolog.Nop(), RingSize: 1 << 20}
	if change != nil {
		change(&cfg)
	}
	d, err := Open(cfg)
	if errors.Is(err, ErrNotLoaded) || errors.Is(err, os.ErrPermission) {
		t.Skip("needs Falco's kernel module: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d, source.Merge(d)
}

func close0(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestRealModule: the calls of this process come, with what is asked for of their
// data.
func TestRealModule(t *testing.T) {
	d, m := openReal(t, func(c *Config) { c.Snaplen = 3000 })
	defer close0(t, m)
	t.Logf("API %s, schema %s", d.api, d.schema)
	realtest.Data(t, m)
}

// TestRealFlood: more than the rings hold. What was not lost is read, not one is
// missing from the sum, and then there is nothing to do.
func TestRealFlood(t *testing.T) {
	d, m := openReal(t, func(c *Config) { c.RingSize, c.Wants = 4*os.Getpagesize(), realtest.Only("getppid") })
	for i := 0; d.Stats().Lost[event.CauseRingFull] == 0; i++ {
		if i == 1e7 {
			t.Fatalf("no ring of %d bytes is full: %+v", d.rings[0].size, d.Stats())
		}
		unix.Getppid()
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	times(t, m)
	realtest.Exact(t, m.Stats())
	close0(t, m)
}

// TestRealManyTimes: nothing is left behind, and the module takes as many consumers
// as before.
func TestRealManyTimes(t *testing.T) {
	_, m := openReal(t, nil)
	close0(t, m)
	before := realtest.Descriptors(t)
	for range 200 {
		_, m := openReal(t, nil)
		if _, err := m.Next(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		close0(t, m)
	}
	if after := realtest.Descriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
}

// TestRealConsumers: several at once see the same, one too many is told so.
func TestRealConsumers(t *testing.T) {
	most := 5
	for i := range most {
		_, m := openReal(t, func(c *Config) { c.Wants = realtest.Only("getppid") })
		defer close0(t, m)
		realtest.Until(t, m, fmt.Sprint("an event for consumer ", i), func() { unix.Getppid() }, func(*event.View) bool { return true })
	}
	if _, err := Open(Config{Log: zerolog.Nop()}); !errors.Is(err, ErrBusy) {
		t.Errorf("the sixth consumer: %v", err)
	}
	if _, err := Probe(Config{Log: zerolog.Nop()}); !errors.Is(err, ErrBusy) {
		t.Errorf("the probe: %v", err)
	}
}

// TestRealPermission: a user that may not read the devices is told so.
func TestRealPermission(t *testing.T) {
	const child = "PDIG_TEST_OPEN_MODULE"
	if os.Getenv(child) != "" {
		_, err := Open(Config{Log: zerolog.Nop()})
		fmt.Println(errors.Is(err, fs.ErrPermission), err)
		os.Exit(0)
	}
	_, m := openReal(t, nil)
	close0(t, m)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRealPermission$")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "true kernel module ") || !strings.Contains(string(out), "the devices are root's") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestRealHotplug: a CPU goes and comes while its ring is read.
func TestRealHotplug(t *testing.T) {
	_, m := openReal(t, func(c *Config) { c.Wants = realtest.Only("getppid", "write") })
	defer close0(t, m)
	realtest.Hotplug(t, m)
	if s := m.Stats(); s.Lost[event.CauseCorrupt] > 0 || s.Lost[event.CauseUnknown] > 0 {
		t.Errorf("got %+v", s)
	}
}
