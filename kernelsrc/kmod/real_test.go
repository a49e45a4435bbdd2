package kmod

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/syscalls"
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
const patience = 2 * time.Minute

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

// TestRealFlood: more than the rings hold. What was not lost is read, not one is
// missing from the sum, and then there is nothing to do.
func TestRealFlood(t *testing.T) {
	d, m := openReal(t, func(c *Config) { c.RingSize, c.Wants = 4*os.Getpagesize(), only("getppid") })
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
	s := m.Stats()
	if s.Delivered == 0 || s.Delivered+s.LostTotal() != s.Seen {
		t.Errorf("%d delivered and %d lost of %d: %+v", s.Delivered, s.LostTotal(), s.Seen, s)
	}
	t.Logf("rings of %d: %+v", d.rings[0].size, s)
	close0(t, m)
}

// TestRealManyTimes: nothing is left behind, and the module takes as many consumers
// as before.
func TestRealManyTimes(t *testing.T) {
	_, m := openReal(t, nil)
	close0(t, m)
	before := descriptors(t)
	for range 200 {
		_, m := openReal(t, nil)
		if _, err := m.Next(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		close0(t, m)
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

// TestRealConsumers: several at once see the same, one too many is told so.
func TestRealConsumers(t *testing.T) {
	most := 5
	for i := range most {
		_, m := openReal(t, func(c *Config) { c.Wants = only("getppid") })
		defer close0(t, m)
		until(t, m, fmt.Sprint("an event for consumer ", i), func() { unix.Getppid() }, func(*event.View) bool { return true })
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
	const online = "/sys/devices/system/cpu/cpu1/online"
	if err := os.WriteFile(online, []byte("1"), 0); err != nil {
		t.Skip("needs a CPU that can be switched off: ", err)
	}
	_, m := openReal(t, func(c *Config) { c.Wants = only("getppid", "write") })
	defer close0(t, m)
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
	until(t, m, "an event of CPU 1", on(1), from(1))
	for range 3 {
		if err := os.WriteFile(online, []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		until(t, m, "an event of CPU 0", on(0), from(0))
		if err := os.WriteFile(online, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
		until(t, m, "an event of CPU 1 again", on(1), from(1))
	}
	if s := m.Stats(); s.Lost[event.CauseCorrupt] > 0 || s.Lost[event.CauseUnknown] > 0 {
		t.Errorf("got %+v", s)
	}
}
