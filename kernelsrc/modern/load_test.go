package modern

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc"
	"github.com/pdig/pdig/kernelsrc/realtest"
	"github.com/pdig/pdig/syscalls"
)

// callsVariable makes the test binary a program that makes so many calls, and nothing
// else.
const callsVariable = "PDIG_TEST_CALLS"

// threadsVariable makes it a program that has so many threads and ends.
const threadsVariable = "PDIG_TEST_THREADS"

// programVariable makes it a program that executes what a file says, whose page it does not touch,
// pipeVariable one that opens what such a file says.
const (
	programVariable = "PDIG_TEST_PROGRAM"
	pipeVariable    = "PDIG_TEST_PIPE"
	otherVariable   = "PDIG_TEST_OTHER" // what stands there when the open ends
)

// pageVariable makes it a program that makes calls with what is in that file, whose page it
// has not touched.
const pageVariable = "PDIG_TEST_PAGE"

func TestMain(m *testing.M) {
	if file := os.Getenv(pageVariable); file != "" {
		if err := callUntouched(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if name := os.Getenv(programVariable); name != "" {
		fmt.Fprintln(os.Stderr, executeUntouched(name))
		os.Exit(1)
	}
	if name := os.Getenv(pipeVariable); name != "" {
		if err := openUntouched(name, name+".pipe", os.Getenv(otherVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if n, err := strconv.Atoi(os.Getenv(threadsVariable)); err == nil {
		var begun sync.WaitGroup
		begun.Add(n)
		for range n {
			go func() {
				runtime.LockOSThread()
				begun.Done()
				select {}
			}()
		}
		begun.Wait()
		os.Exit(0)
	}
	if n, err := strconv.Atoi(os.Getenv(callsVariable)); err == nil {
		for range n {
			unix.Getppid()
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestUntouchedProgram: the path of an exec is told too if its page could not be read at the entry.
// The exit cannot try again: there is another program.
func TestUntouchedProgram(t *testing.T) {
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	program = "/../" + program // not what the kernel calls it otherwise
	name := filepath.Join(t.TempDir(), "path")
	if err := os.WriteFile(name, append([]byte(program), 0), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(programVariable, name)
	p := open(t, Config{RingSize: 8 << 20, Snaplen: 80, Family: true})
	all := run(t, p, os.Args[0])
	if !has(all, "execve", true, program+"\x00") {
		t.Errorf("no exec of %s", program)
		for _, e := range all {
			if e.name == "execve" {
				t.Logf("%+v", e)
			}
		}
	}
}

// TestUntouchedName: a name whose page could not be read at the entry of an open is read
// at the exit. The program has had time to write another one there; then it is the path
// that the kernel has found.
func TestUntouchedName(t *testing.T) {
	for _, row := range []struct{ name, text, other, want string }{
		{"as it was", "DIR/x/../path.pipe", "DIR/x/../path.pipe", "DIR/x/../path.pipe"},
		{"relative", "./path.pipe", "./path.pipe", "./path.pipe"},
		{"changed", "DIR/path.pipe", "DIR/path.other", "DIR/path.pipe"},
		{"changed to a relative one", "DIR/path.pipe", "path.other", "DIR/path.pipe"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			in := func(s string) string { return strings.ReplaceAll(s, "DIR", dir) }
			name := filepath.Join(dir, "path")
			page := make([]byte, os.Getpagesize())
			copy(page, in(row.text))
			err = cmp.Or(os.WriteFile(name, page, 0o600), os.Mkdir(filepath.Join(dir, "x"), 0o700), unix.Mkfifo(name+".pipe", 0o600))
			if err != nil {
				t.Fatal(err)
			}
			p := open(t, Config{RingSize: 8 << 20, Snaplen: 80, Family: true})
			cmd := exec.Command(os.Args[0])
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), pipeVariable+"="+name, otherVariable+"="+in(row.other))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			all := events(t, p, cmd.Process.Pid, 0)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if !has(all, "openat", true, in(row.want)+"\x00") || row.other != row.want && has(all, "openat", true, in(row.other)+"\x00") {
				t.Errorf("no open of %s", in(row.want))
				for _, e := range all {
					if e.name == "openat" && e.exit {
						t.Logf("%+v", e)
					}
				}
			}
		})
	}
}

// calls runs a program that makes n calls of getppid, which the Go runtime makes none of.
func calls(t *testing.T, n int) {
	t.Helper()
	again(t, callsVariable, n)
}

// again runs this program with a variable.
func again(t *testing.T, name string, n int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), name+"="+strconv.Itoa(n))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
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

// drain reads all there is. A probe is quiet more than once while it holds back a record
// that seems to be of the future.
func drain(t *testing.T, p *Probe, take func(*event.View)) {
	t.Helper()
	for quiet := 0; quiet < 10; {
		rec, err := p.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			quiet++
			continue
		}
		var v event.View
		if err := cmp.Or(err, v.Parse(rec)); err != nil {
			t.Fatal(err)
		}
		quiet = 0
		take(&v)
	}
}

// halvesOf reads all there is, and counts what getppid has left.
func halvesOf(t *testing.T, p *Probe) (halves uint64) {
	t.Helper()
	drain(t, p, func(v *event.View) {
		if v.Type() <= syscalls.GenericX {
			halves++
		}
	})
	return halves
}

var many = flag.Int("times", 20, "how often TestManyTimes starts the probe")

// TestManyTimes: nothing is left behind in this process, and nothing in the kernel.
func TestManyTimes(t *testing.T) {
	cfg := Config{RingSize: os.Getpagesize(), Family: true, Wants: onlyGetppid}
	if err := open(t, cfg).Close(); err != nil { // it is in memory until the test ends
		t.Fatal(err)
	}
	once := func() ([]ebpf.ProgramID, []ebpf.MapID) {
		p, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Next(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		programs, maps := ids(t, p)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		return programs, maps
	}
	once()
	files, mappings, memory := realtest.Descriptors(t), mapped(t), resident(t)
	for range *many {
		programs, maps := once()
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
	if got := resident(t); got > memory+16<<20 {
		t.Errorf("%d bytes of memory, before %d", got, memory)
	}
}

func ids(t *testing.T, p *Probe) (programs []ebpf.ProgramID, mapIDs []ebpf.MapID) {
	t.Helper()
	for i := range p.copies {
		for _, prog := range p.copies[i].all() {
			info, err := prog.Info()
			if err != nil {
				t.Fatal(err)
			}
			id, _ := info.ID()
			programs = append(programs, id)
		}
	}
	for _, m := range slices.AppendSeq(slices.Clone(p.rings), maps.Values(p.shared.all())) {
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		mapIDs = append(mapIDs, id)
	}
	return programs, mapIDs
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

// resident is how much memory this process has, bytes, but for what Go keeps and nobody
// uses.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
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

// TestFamilyFull: a process that the family has no room for is counted, and one that
// comes when there is room again is recorded.
func TestFamilyFull(t *testing.T) {
	p := open(t, Config{RingSize: 1 << 20, Family: true, Wants: onlyGetppid, room: 2})
	// The shell and one of its children have room, two have not.
	cmd := exec.Command("/bin/sh", "-c", "for i in 1 2 3; do /bin/sleep 1000 & pids=\"$pids $!\"; done; kill $pids; wait; exit 0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	halvesOf(t, p)
	s := p.Stats()
	if s.Lost[event.CauseVanished] != 2 || s.LostTotal() != 2 || s.Seen != s.Delivered+2 {
		t.Errorf("got %+v, want 2 vanished", s)
	}
	calls(t, 3)
	got := halvesOf(t, p)
	if s = p.Stats(); got != 2*3 || s.LostTotal() != 2 {
		t.Errorf("later: %d halves of 3 calls, %+v", got, s)
	}
}

// TestThreadsEnd: of threads that end at the same moment each is told to have ended, so
// the family knows the process until then.
func TestThreadsEnd(t *testing.T) {
	const threads, rounds = 16, 20
	p := open(t, Config{RingSize: 8 << 20, Family: true, Wants: onlyGetppid})
	for range rounds {
		again(t, threadsVariable, threads)
		born, ended := 0, 0
		drain(t, p, func(v *event.View) {
			switch res, _ := v.Int(0); v.Type() {
			case syscalls.ProcExitE:
				ended++
			case syscalls.CloneX, syscalls.ForkX, syscalls.VforkX, syscalls.Clone3X:
				if res == 0 {
					born++
				}
			}
		})
		if s := p.Stats(); s.Lost[event.CauseNested] > 0 {
			t.Skipf("needs a kernel that does not run another thread while the probe makes a record: %+v", s)
		}
		if born < threads || ended != born {
			t.Fatalf("%d threads have begun, %d have ended: %+v", born, ended, p.Stats())
		}
	}
}

// TestShared: rings are shared by as many CPUs as asked for, and each of those that are
// online has one.
func TestShared(t *testing.T) {
	_, online, err := kernelsrc.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	all := len(online)
	for share, want := range map[int]int{0: 1, 1: all, 2: (all + 1) / 2, all: 1, all + 1: 1} {
		t.Run(strconv.Itoa(share), func(t *testing.T) {
			p := open(t, Config{RingSize: 1 << 20, CPUsPerRing: share, Family: true, Wants: onlyGetppid})
			if len(p.rings) != want {
				t.Errorf("%d rings for %d CPUs, want %d", len(p.rings), all, want)
			}
			for _, cpu := range online {
				callsOn(t, p, cpu)
			}
			wantAll(t, p)
		})
	}
}

// TestCopies: what one copy of the probe has told of, the next does not, and what the first
// has not is told by the second, of each kind.
func TestCopies(t *testing.T) {
	const kinds = 6 // of programs
	p := open(t, Config{RingSize: 8 << 20, Snaplen: 80, Family: true, copies: 2})
	whole := namesOf(run(t, p, "/bin/true"))
	for i := range kinds {
		if err := p.links[i].Close(); err != nil {
			t.Fatal(err)
		}
		p.links[i] = p.links[kinds+i] // which will be closed once more: that does nothing
		got, s := namesOf(run(t, p, "/bin/true")), p.Stats()
		if s.Lost[event.CauseNested] > 0 {
			t.Skipf("needs a kernel that does not run another thread while the probe makes a record: %+v", s)
		}
		if !slices.Equal(got, whole) || s.LostTotal() != 0 {
			t.Errorf("without %v of the first: got %v, want %v, lost %+v", p.copies[0].all()[i], got, whole, s)
		}
	}
}

// namesOf are events as their names.
func namesOf(all []seen) (names []string) {
	for _, e := range all {
		names = append(names, e.name+":"+strconv.FormatBool(e.exit))
	}
	return names
}

var hotplug = flag.Bool("hotplug", false, "let TestNewCPU switch a CPU of this machine off and on")

// TestNewCPU: one that comes online after the probe was loaded is recorded too.
func TestNewCPU(t *testing.T) {
	if !*hotplug {
		t.Skip("needs a machine of its own (-hotplug)")
	}
	const control = "/sys/devices/system/cpu/cpu1/online"
	if err := os.WriteFile(control, []byte("0"), 0); err != nil {
		t.Skip("needs a CPU that can be switched off: ", err)
	}
	defer func() { _ = os.WriteFile(control, []byte("1"), 0) }() // where it has not come to that below
	p := open(t, Config{RingSize: 1 << 20, CPUsPerRing: 1, Family: true, Wants: onlyGetppid})
	if err := os.WriteFile(control, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	callsOn(t, p, 1)
	wantAll(t, p)
}

// callsOn has calls made on a CPU, and wants them to be told as of that.
func callsOn(t *testing.T, p *Probe, cpu int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Skipf("CPU %d is not for this process: %v", cpu, err)
	}
	calls(t, 10)
	if err := unix.SchedSetaffinity(0, &old); err != nil {
		t.Fatal(err)
	}
	halves := 0
	drain(t, p, func(v *event.View) {
		if v.Type() > syscalls.GenericX {
			return
		}
		halves++
		if at, _ := p.Place(); int(at) != cpu {
			t.Errorf("a call on CPU %d is told as of %d", cpu, at)
		}
	})
	if halves != 20 {
		t.Errorf("%d halves of 10 calls on CPU %d", halves, cpu)
	}
}
