// Package realtest has what the tests of real drivers of the kernel share.
package realtest

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// patience is for guests that are emulated on busy machines.
const patience = 5 * time.Minute

// Reader is the merged rings of a driver.
type Reader interface {
	// Next and Stats are those of source.Source.
	Next() ([]byte, error)
	// Place is where the last record was made.
	Place() (cpu uint16, hidden bool)
	// Stats counts what came and what was lost.
	Stats() event.Stats
}

// Only wants the calls of these names.
func Only(names ...string) func(*syscalls.Call) bool {
	return func(c *syscalls.Call) bool { return slices.Contains(names, c.Name) }
}

// Until reads until an event is what is looked for, and does again meanwhile what
// makes it.
func Until(t *testing.T, m Reader, what string, do func(), found func(*event.View) bool) {
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

// Data shows that of a write come as many bytes as a driver with a snaplen of 3000 was
// asked for.
func Data(t *testing.T, m Reader) {
	t.Helper()
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	data := []byte(strings.Repeat("0123456789", 500))
	Until(t, m, "3000 bytes of a write", func() { _, _ = null.Write(data) }, func(v *event.View) bool {
		at := strings.Index(string(v.Bytes()), "0123456789012345678901234567890123456789")
		return at >= 0 && len(v.Bytes())-at >= 3000 && len(v.Bytes())-at < 3100
	})
}

// Hotplug has a CPU go and come while its ring is read, of a driver that wants getppid.
func Hotplug(t *testing.T, m Reader) {
	t.Helper()
	const online = "/sys/devices/system/cpu/cpu1/online"
	put := func(state string) error { return os.WriteFile(online, []byte(state), 0) }
	if err := put("1"); err != nil {
		t.Skip("needs a CPU that can be switched off: ", err)
	}
	from := func(cpu uint16) func(*event.View) bool {
		return func(*event.View) bool { at, _ := m.Place(); return at == cpu }
	}
	both := func() { callOn(1); callOn(0) } // CPU 0 tells that there was no ring for CPU 1
	Until(t, m, "an event of CPU 1", func() { callOn(1) }, from(1))
	for range 3 {
		if err := put("0"); err != nil {
			t.Fatal(err)
		}
		Until(t, m, "an event of CPU 0", func() { callOn(0) }, from(0))
		if err := put("1"); err != nil {
			t.Fatal(err)
		}
		Until(t, m, "an event of CPU 1 again", both, from(1))
	}
}

// callOn calls getppid on a CPU, if that is there.
func callOn(cpu int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, old unix.CPUSet
	set.Set(cpu)
	if unix.SchedGetaffinity(0, &old) == nil && unix.SchedSetaffinity(0, &set) == nil {
		unix.Getppid()
		_ = unix.SchedSetaffinity(0, &old)
	}
}

// Exact shows that the sum of what was delivered and lost is exact.
func Exact(t *testing.T, s event.Stats) {
	t.Helper()
	if s.Delivered == 0 || s.Delivered+s.LostTotal() != s.Seen {
		t.Errorf("%d delivered and %d lost of %d: %+v", s.Delivered, s.LostTotal(), s.Seen, s)
	}
	t.Logf("%+v", s)
}

// Descriptors is how many files this process has open.
func Descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
