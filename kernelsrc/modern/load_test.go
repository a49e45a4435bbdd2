package modern

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc/realtest"
	"github.com/pdig/pdig/syscalls"
)

// callsVariable makes the test binary a program that makes so many calls, and nothing
// else.
const callsVariable = "PDIG_TEST_CALLS"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(callsVariable)); err == nil {
		begin := time.Now()
		for range n {
			unix.Getppid()
		}
		fmt.Println(time.Since(begin).Nanoseconds())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// calls runs a program that makes n calls of getppid, which the Go runtime makes none of,
// and returns how long they took.
func calls(t testing.TB, n int) time.Duration {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), callsVariable+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ns, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}

// BenchmarkCall is what a getppid costs without the probe, with one that wants other
// calls only, and with one that records it while this process reads: in turn, so that the
// ratios say more than the figures. Each is the median.
func BenchmarkCall(b *testing.B) {
	const n, rounds = 50_000, 5
	for b.Loop() {
		var native, unwanted, wanted []float64
		for range rounds {
			base := float64(calls(b, n))
			native = append(native, base/n)
			unwanted = append(unwanted, under(b, n, func(c *syscalls.Call) bool { return c.Name == "getpgid" })/base)
			wanted = append(wanted, under(b, n, onlyGetppid)/base)
		}
		b.ReportMetric(middle(native), "ns/native")
		b.ReportMetric(middle(unwanted), "unwanted/native")
		b.ReportMetric(middle(wanted), "wanted/native")
	}
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// under makes n calls under a probe that is read.
func under(b *testing.B, n int, wants func(*syscalls.Call) bool) float64 {
	b.Helper()
	p, err := Open(Config{RingSize: 8 << 20, CPUsPerRing: 1, Snaplen: 80, Family: true, Wants: wants})
	if err != nil {
		b.Skipf("the probe needs Linux 5.8 with BTF, and CAP_BPF and CAP_PERFMON: %v", err)
	}
	done := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			_, err := p.Next()
			select {
			case <-done:
				return
			default:
			}
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				b.Error(err)
				return
			}
		}
	})
	took := calls(b, n)
	close(done)
	reading.Wait()
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	return float64(took)
}

func onlyGetppid(c *syscalls.Call) bool { return c.Name == "getppid" }

// TestFlood makes more records than a ring holds, the smallest too, while nobody reads.
// Each of them is in the ring or counted, by its class; afterwards all is as before.
func TestFlood(t *testing.T) {
	const n, few = 20_000, 5
	for _, size := range []int{os.Getpagesize(), 1 << 16} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			p := open(t, Config{RingSize: size, Snaplen: 80, Family: true, Wants: onlyGetppid})
			calls(t, n)
			halves := halvesOf(t, p)
			s, class := p.Stats(), classOf(syscalls.LookupName("getppid"))
			if got := halves + s.Full[class]; got != 2*n {
				t.Errorf("%d delivered and %d of class %v lost, which are %d, want %d: %+v", halves, s.Full[class], class, got, 2*n, s)
			}
			if s.Delivered == 0 || s.Lost[event.CauseRingFull] == 0 {
				t.Errorf("%+v", s)
			}
			if sent := p.counter(countSeen); sent != p.taken+s.LostTotal() {
				t.Errorf("the probe has sent %d, %d were taken and %d are lost: %+v", sent, p.taken, s.LostTotal(), s)
			}
			t.Logf("%d delivered, %+v", halves, s)
			if size == os.Getpagesize() {
				return // what an exec tells has no room there
			}
			calls(t, few)
			got, later := halvesOf(t, p), p.Stats()
			if got != 2*few || later.LostTotal() != s.LostTotal() {
				t.Errorf("later: %d delivered, want %d: %+v", got, 2*few, later)
			}
			if err := p.Close(); err != nil || p.Stats() != later {
				t.Errorf("closed: %v, %+v, want %+v", err, p.Stats(), later)
			}
		})
	}
}

// halvesOf reads all there is, and counts what getppid has left.
func halvesOf(t *testing.T, p *Probe) (halves uint64) {
	t.Helper()
	for {
		rec, err := p.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return halves
		}
		if err != nil {
			t.Fatal(err)
		}
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if v.Type() <= syscalls.GenericX {
			halves++
		}
	}
}

var many = flag.Int("times", 20, "how often TestManyTimes starts the probe")

// TestManyTimes: nothing is left behind in this process, and nothing in the kernel.
func TestManyTimes(t *testing.T) {
	open := func() ([]ebpf.ProgramID, []ebpf.MapID) {
		p := open(t, Config{RingSize: os.Getpagesize(), Family: true, Wants: onlyGetppid})
		if _, err := p.Next(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		programs, maps := ids(t, p)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		return programs, maps
	}
	open()
	files, mappings, memory := realtest.Descriptors(t), mapped(t), resident(t)
	for range *many {
		programs, maps := open()
		waitGone(t, func() bool {
			for _, id := range programs {
				if q, err := ebpf.NewProgramFromID(id); err == nil {
					_ = q.Close()
					return false
				}
			}
			for _, id := range maps {
				if m, err := ebpf.NewMapFromID(id); err == nil {
					_ = m.Close()
					return false
				}
			}
			return true
		})
	}
	if got := realtest.Descriptors(t); got != files {
		t.Errorf("%d descriptors, before %d", got, files)
	}
	if got := mapped(t); got != mappings {
		t.Errorf("%d mappings of maps, before %d", got, mappings)
	}
	if got := resident(t); got > memory+64<<20 {
		t.Errorf("%d bytes of memory, before %d", got, memory)
	}
}

func ids(t *testing.T, p *Probe) (programs []ebpf.ProgramID, maps []ebpf.MapID) {
	t.Helper()
	for _, prog := range p.objects.programs() {
		info, err := prog.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		programs = append(programs, id)
	}
	for _, m := range append(p.rings, p.Table, p.Rings, p.Counters) {
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		maps = append(maps, id)
	}
	return programs, maps
}

// waitGone waits until the kernel has freed what it frees later.
func waitGone(t *testing.T, gone func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !gone(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a program or a map is left behind")
		}
	}
}

// mapped is how many maps are mapped.
func mapped(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("bpf-map"))
}

// resident is how much memory this process has, bytes.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n * os.Getpagesize()
}
