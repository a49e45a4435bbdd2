package integration

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/kernelsrc/modern"
	"github.com/pdig/pdig/syscalls"
)

// TestModern has the programs of the oracle watched by the probe in the kernel: the
// same calls give the same events, parameter by parameter, as under pdig.
func TestModern(t *testing.T) {
	for _, row := range []struct {
		name   string
		judged []string // nil: what stands between marks
		narrow bool     // as a 32-bit program too
	}{
		{"oracle-files", slices.Concat(births, programs, descriptors), false},
		{"oracle-sockets", slices.Concat(births, programs, descriptors), true},
		{"oracle-processes", slices.Concat(births, programs, descriptors), true},
		{"oracle-exec", programs, false},
		{"oracle-messages", nil, true},
		{"oracle-data", nil, true},
		{"oracle-descriptors", nil, false},
		{"oracle-control", nil, false},
		{"oracle-names", nil, false},
		{"oracle-i386", nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			program := fixture(t, row.name)
			if row.narrow {
				t.Run(narrowABI, func(t *testing.T) { probed(t, "newest", narrowFixture(t, row.name), row.judged) })
			}
			for _, schema := range []string{"newest", "336"} {
				t.Run(schema, func(t *testing.T) { probed(t, schema, program, row.judged) })
			}
		})
	}
}

// probed compares what a program of the oracle says with its records under the probe.
func probed(t *testing.T, schema, program string, judged []string) {
	t.Helper()
	said, records := probeInto(t, schema, program)
	if said = knownTo(schema, said); judged != nil {
		compareOracle(t, said, records, judged)
	} else {
		compareMarked(t, said, records)
	}
}

// probeInto runs a program of the oracle under the probe and returns its output and
// the records of its threads.
func probeInto(t *testing.T, schema, program string) (stdout string, records [][]byte) {
	t.Helper()
	return probeKeeping(t, 80, schema, program)
}

// TestModernLargeData is TestModern for as much data as the probe keeps beside addresses and
// lists of buffers.
func TestModernLargeData(t *testing.T) {
	said, records := probeKeeping(t, 48<<10, "newest", fixture(t, "oracle-data"))
	compareMarked(t, said, records)
}

// probeKeeping is probeInto for a program of whose data so many bytes are kept.
func probeKeeping(t *testing.T, snaplen int, schema, program string) (stdout string, records [][]byte) {
	t.Helper()
	cfg := modern.Config{RingSize: 64 << 20, Snaplen: snaplen, Family: true}
	if schema != "newest" {
		cfg.Ceiling, _ = strconv.Atoi(schema)
	}
	cmd := exec.Command(program, schema, t.TempDir(), strconv.Itoa(snaplen))
	cmd.Env = append(os.Environ(), "ORACLE_QUEUES=told")
	return probedBy(t, cfg, cmd)
}

// TestModernTruth traces programs of which one thread changes what the calls of the other
// are about: behind each event there is what the kernel has worked on.
func TestModernTruth(t *testing.T) {
	program := fixture(t, "racer")
	for _, kind := range []string{"path", "openat2", "link", "exec", "connect", "unix", "bind"} {
		t.Run(kind, func(t *testing.T) {
			rounds := 3000
			if kind == "exec" {
				rounds /= 20
			}
			dir := t.TempDir()
			r := &race{kind: kind, dir: dir, unmarked: true, ports: map[uint16]int{}}
			for i := range r.inodes {
				exits(t, filepath.Join(dir, fmt.Sprintf("exit%d", i+1)), i+1)
				r.inodes[i] = create(t, filepath.Join(dir, fmt.Sprintf("file%d", i+1)))
			}
			var v event.View
			cfg := modern.Config{RingSize: 64 << 20, Family: true, Truth: true, Snaplen: 80}
			_, records := probedBy(t, cfg, exec.Command(program, kind, dir, strconv.Itoa(rounds)))
			for _, rec := range records {
				if err := v.Parse(rec); err != nil {
					t.Fatal(err)
				}
				r.event(t, &v)
			}
			t.Logf("%d calls, %d got something else than they had asked for", r.calls, r.others)
			if r.calls == 0 {
				t.Error("no call has got anything")
			}
		})
	}
}

// TestModernTruthPlain has a program use all kinds of names and addresses, in the usual
// root and in one of its own, while nobody changes anything: none is marked, and each call
// that has succeeded has an object.
func TestModernTruthPlain(t *testing.T) {
	dir := t.TempDir()
	cfg := modern.Config{RingSize: 64 << 20, Family: true, Truth: true, Snaplen: 80}
	_, records := probedBy(t, cfg, exec.Command(fixture(t, "plainopens"), dir))
	objects := map[string]bool{}
	var v event.View
	for _, rec := range records {
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		switch v.Name() {
		case "open", "openat", "openat2", "creat", "open_by_handle_at", "execve", "execveat", "connect", "bind":
		default:
			continue
		}
		if syscalls.IsEnter(v.Type()) {
			continue
		}
		truth, _ := v.Truth()
		res, _ := v.Int(0)
		if (res >= 0) != (len(truth.Object) > 0) || truth.Mismatch != 0 {
			t.Errorf("%s: result %d, object %q, mismatch %q", v.Name(), res, truth.Object, truth.Mismatch)
		}
		objects[string(truth.Object)] = true
	}
	for _, name := range []string{"d/f", "hard", "made", "d/created"} {
		if !objects[filepath.Join(dir, name)] {
			t.Errorf("no call has opened %s: %v", name, objects)
		}
	}
}

// probedBy runs a command under a probe and returns its output and the records of its
// threads.
func probedBy(t *testing.T, cfg modern.Config, cmd *exec.Cmd) (stdout string, records [][]byte) {
	t.Helper()
	needFirstNamespace(t)
	probe, err := modern.Open(cfg)
	if withoutModern(err) {
		t.Skipf("the probe needs Linux 5.8 with BTF, and CAP_BPF and CAP_PERFMON: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer probe.Close()
	var kin family
	return recordsOf(t, probe, cmd, func(pid int, rec []byte) bool { return kin.takes(t, pid, rec) }, kin.ended)
}

// needFirstNamespace skips a test in all pid namespaces but the first, whose numbers of processes
// are those that a kernel tells of.
func needFirstNamespace(t *testing.T) {
	t.Helper()
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != procfs.FirstNamespace {
		t.Skip("needs the pid namespace of the machine (docker run --pid=host)")
	}
}

// interruptibleProbes reports whether another thread may run while the kernel runs a probe
// for one, as since Linux 7.0: only there need a probe that has not run be no loss, since
// there are copies of it, and what its last one has missed may have been nobody's.
func interruptibleProbes() bool {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return false
	}
	_, err = kernel.AnyTypeByName("class_srcu_fast_notrace_t")
	return err == nil
}

// withoutModern reports whether an error is that of a kernel which has no modern probe.
func withoutModern(err error) bool {
	var old *modern.OldKernelError
	return errors.Is(err, modern.ErrNoBTF) || errors.Is(err, modern.ErrPermission) || errors.As(err, &old)
}

// TestModernExec: an exec has its exit where no other call of its number is wanted. That of
// a 32-bit program has another number after it than before.
func TestModernExec(t *testing.T) {
	for _, row := range []struct {
		name    string
		program func(testing.TB, string) string
	}{{runtime.GOARCH, fixture}, {narrowABI, narrowFixture}} {
		t.Run(row.name, func(t *testing.T) {
			program := row.program(t, "oracle-data")
			cfg := modern.Config{RingSize: 8 << 20, Family: true, Wants: func(c *syscalls.Call) bool { return c.Name == "close" }}
			_, records := probedBy(t, cfg, exec.Command(program, "newest", t.TempDir(), "80"))
			var v event.View
			begun, execs := false, []string{}
			for _, rec := range records {
				if err := v.Parse(rec); err != nil {
					t.Fatal(err)
				}
				switch v.Type() {
				case syscalls.ExecveE, syscalls.ExecveX:
					execs = append(execs, v.Name()+":"+strconv.FormatBool(syscalls.IsEnter(v.Type())))
				default:
					begun = begun || len(execs) == 2 && v.Name() == "close"
				}
			}
			if want := []string{"execve:true", "execve:false"}; !slices.Equal(execs, want) || !begun {
				t.Errorf("got %v, want %v, and that a close follows: %v", execs, want, begun)
			}
		})
	}
}

// family are the threads of a command and of what descends from it.
type family struct {
	known  map[int64]bool
	living map[int64]int64 // the process of each that has not ended
}

// takes reports whether a record is about a thread of the family of command pid.
func (f *family) takes(t *testing.T, pid int, rec []byte) bool {
	t.Helper()
	if f.known == nil {
		f.known, f.living = map[int64]bool{int64(pid): true}, map[int64]int64{int64(pid): int64(pid)}
	}
	var v event.View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	const res, process, parent = 0, 4, 5
	tid := v.TID()
	switch v.Type() {
	case syscalls.CloneX, syscalls.ForkX, syscalls.VforkX, syscalls.Clone3X:
		n, _ := v.Int(res)
		by, _ := v.Int(parent)
		own, _ := v.Int(process)
		if n == 0 && (f.known[by] || f.known[own]) {
			f.known[tid], f.living[tid] = true, own
		}
	case syscalls.ExecveX:
		if n, _ := v.Int(res); n == 0 && f.known[tid] { // the other threads are gone
			maps.DeleteFunc(f.living, func(_, own int64) bool { return own == tid })
			f.living[tid] = tid
		}
	case syscalls.ProcExitE:
		delete(f.living, tid)
	}
	return f.known[tid]
}

// ended reports whether all of the family have been told to have ended.
func (f *family) ended() bool { return f.known != nil && len(f.living) == 0 }
