package modern

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/syscalls"
)

// open opens a probe of all calls, or skips the test where the kernel has none.
func open(t *testing.T, cfg Config) *Probe {
	t.Helper()
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil && ns != procfs.FirstNamespace {
		t.Skip("needs the pid namespace of the machine (docker run --pid=host), whose numbers the kernel tells")
	}
	p, err := Open(cfg)
	var old *OldKernelError
	if errors.Is(err, ErrNoBTF) || errors.Is(err, ErrPermission) || errors.As(err, &old) {
		t.Skipf("the probe needs Linux 5.8 with BTF, and CAP_BPF and CAP_PERFMON: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// seen is an event of a test.
type seen struct {
	tid    int
	name   string
	exit   bool
	params []string
}

// events are those of thread only, or of all if that is 0, up to the end of thread pid.
func events(t *testing.T, p *Probe, pid, only int) (all []seen) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		if time.Now().After(end) {
			t.Fatalf("no end of %d after %d events; %+v", pid, len(all), p.Stats())
		}
		rec, err := p.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("%v: % x", err, rec)
		}
		if only != 0 && v.TID() != int64(only) {
			continue
		}
		e := seen{tid: int(v.TID()), name: v.Name(), exit: !syscalls.IsEnter(v.Type())}
		for i := range v.NumParams() {
			e.params = append(e.params, string(v.Param(i)))
		}
		all = append(all, e)
		if v.Type() == syscalls.ProcExitE && v.TID() == int64(pid) {
			return all
		}
	}
}

// run runs a program in a process of its own and returns its events.
func run(t *testing.T, p *Probe, name string, args ...string) []seen {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	go func() { _ = cmd.Wait() }()
	return events(t, p, pid, pid)
}

// has reports whether there is an event with that value of a parameter.
func has(all []seen, name string, exit bool, value string) bool {
	return slices.ContainsFunc(all, func(e seen) bool {
		return e.name == name && e.exit == exit && slices.Contains(e.params, value)
	})
}

// TestProbe wants the calls of a program, and what is copied of each: strings, data,
// what the kernel knows of an open file and of a program.
func TestProbe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file with a name")
	const content = "what is in the file"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	if cat, err = filepath.EvalSymlinks(cat); err != nil {
		t.Fatal(err)
	}
	p := open(t, Config{RingSize: 8 << 20, CPUsPerRing: 1, Snaplen: 80, Family: true})
	all := run(t, p, cat, file, "/nonexistent name")

	var ino [8]byte
	for i := range ino {
		ino[i] = byte(st.Ino >> (8 * i))
	}
	for _, row := range []struct {
		name  string
		exit  bool
		value string
	}{
		{"execve", false, cat + "\x00"},
		{"execve", true, cat + "\x00"},                                 // exe, and the path that the kernel knows
		{"execve", true, file + "\x00" + "/nonexistent name" + "\x00"}, // args
		{"execve", true, "cat\x00"},                                    // comm
		{"openat", false, file + "\x00"},
		{"openat", true, file + "\x00"},
		{"openat", true, string(ino[:])},
		{"openat", true, "/nonexistent name\x00"},
		{"openat", true, "\xfe\xff\xff\xff\xff\xff\xff\xff"}, // ENOENT
		{"read", true, content},
		{"write", true, content},
	} {
		if !has(all, row.name, row.exit, row.value) {
			t.Errorf("no %s (exit: %v) with %q", row.name, row.exit, row.value)
		}
	}
	if t.Failed() {
		t.Logf("%+v", all)
	}
	checkPairs(t, all)
	wantAll(t, p)
}

// TestLongData: of data as much is copied as is asked for, if a record has room for it.
func TestLongData(t *testing.T) {
	content := make([]byte, 65000)
	for i := range content {
		content[i] = byte(i>>8 ^ i)
	}
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ snaplen, want int }{
		{maxCopy, maxCopy}, {maxCopy + 1, maxCopy + 1}, {20000, 20000}, {maxData, maxData}, {65000, maxData},
	} {
		p := open(t, Config{RingSize: 8 << 20, Snaplen: row.snaplen, Family: true})
		all := run(t, p, "/bin/dd", "if="+file, "of=/dev/null", "bs=65000", "count=1", "status=none")
		for _, call := range []string{"read", "write"} {
			if !has(all, call, true, string(content[:row.want])) {
				t.Errorf("snaplen %d: no %s with the first %d bytes", row.snaplen, call, row.want)
			}
		}
		wantAll(t, p)
	}
}

// wantAll wants nothing to be lost. Where there are copies of the probe, what the last one
// has missed need not have been for it to tell: that the events are there shows it.
func wantAll(t *testing.T, p *Probe) {
	t.Helper()
	s := p.Stats()
	lost := s.LostTotal()
	if len(p.copies) > 1 {
		lost -= s.Lost[event.CauseNested]
	}
	if lost != 0 {
		t.Errorf("lost: %+v", s)
	}
}

// checkPairs wants an exit behind each entry, but for the last and the calls
// that do not return.
func checkPairs(t *testing.T, all []seen) {
	t.Helper()
	open := ""
	for i, e := range all {
		switch {
		case e.name == "procexit" || i == 0:
		case !e.exit && open != "":
			t.Errorf("event %d: %s begins within %s", i, e.name, open)
			open = e.name
		case !e.exit:
			open = e.name
		case open == "" && i > 1:
			t.Errorf("event %d: %s ends and has not begun", i, e.name)
		default:
			open = ""
		}
	}
}

// TestWanted wants no event of calls that are not wanted.
func TestWanted(t *testing.T) {
	p := open(t, Config{RingSize: 1 << 20, Snaplen: 80, Family: true, Wants: func(c *syscalls.Call) bool { return c.Name == "close" }})
	all := run(t, p, "/bin/true")
	for _, e := range all {
		switch e.name {
		case "close", "clone", "clone3", "fork", "vfork", "execve", "procexit":
		default:
			t.Errorf("got %s", e.name)
		}
	}
	if !slices.ContainsFunc(all, func(e seen) bool { return e.name == "close" }) {
		t.Errorf("no close: %+v", all)
	}
}

// TestOwn wants no event of the reader itself, of none of its threads.
func TestOwn(t *testing.T) {
	p := open(t, Config{RingSize: 8 << 20, Snaplen: 80})
	unmistakable := "/nonexistent/" + t.Name()
	for range 10 {
		_, _ = os.Stat(unmistakable)
	}
	other := unmistakable + " of another"
	cmd := exec.Command("/bin/sh", "-c", ": <'"+other+"'")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	go func() { _ = cmd.Wait() }()
	all := events(t, p, pid, 0)
	if has(all, "newfstatat", true, unmistakable+"\x00") || has(all, "stat", true, unmistakable+"\x00") {
		t.Error("the probe has recorded its own process")
	}
	if !has(all, "openat", true, other+"\x00") && !has(all, "open", true, other+"\x00") {
		t.Errorf("nothing of the other process, of %d events", len(all))
	}
	for _, e := range all {
		if e.name == "write" && e.tid == os.Getpid() {
			t.Errorf("own call: %+v", e)
		}
	}
}

// TestObjects wants the objects in the tree to be what their source makes.
func TestObjects(t *testing.T) {
	for _, tool := range []string{"clang", "llvm-strip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s: the objects cannot be compared with their source", tool)
		}
	}
	out, err := exec.Command("clang", "--version").Output()
	if err != nil || !strings.Contains(string(out), "clang version 14.0.6") {
		t.Skipf("the objects are made by clang 14.0.6, this is %q", bytes.SplitN(out, []byte("\n"), 2)[0])
	}
	for arch, name := range map[string]string{"x86": "probe_amd64.o", "arm64": "probe_arm64.o"} {
		made := filepath.Join(t.TempDir(), name)
		if out, err := exec.Command("sh", "bpf/build.sh", arch, made).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		got, err := os.ReadFile(made)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the source makes another object (make generate): %d bytes, not %d", name, len(got), len(want))
		}
	}
}

// TestVersion reads releases as kernels have them.
func TestVersion(t *testing.T) {
	for release, want := range map[string][3]int{
		"5.8.0": {5, 8, 0}, "6.18.44-fc-v782": {6, 18, 44}, "5.10-rc1": {5, 10, 0}, "2.6.78.1": {2, 6, 78}, "": {},
	} {
		if got := version(release); got != want {
			t.Errorf("%q: got %v, want %v", release, got, want)
		}
	}
}

// TestLockedDown: it is told by the kernel's file, and where that is not mounted by what
// its verifier says.
func TestLockedDown(t *testing.T) {
	const old, newer = "invalid argument: unknown func bpf_probe_read#4 (57 line(s) omitted)",
		"invalid argument: program of this type cannot use helper bpf_probe_read_kernel#113"
	for _, row := range []struct {
		modes, err string // modes: "" for no file
		want       bool
	}{
		{"none integrity [confidentiality]\n", "operation not permitted", true},
		{"none [integrity] confidentiality\n", "operation not permitted", false},
		{"[none] integrity confidentiality\n", old, false},
		{"", old, true},
		{"", newer, true},
		{"", "operation not permitted", false},
		{"", "invalid argument: unknown func bpf_ringbuf_output#130", false},
	} {
		file := filepath.Join(t.TempDir(), "lockdown")
		if row.modes != "" {
			if err := os.WriteFile(file, []byte(row.modes), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := lockedDown(file, errors.New(row.err)); got != row.want {
			t.Errorf("%q, %q: got %t", row.modes, row.err, got)
		}
	}
	// The text of a new kernel ends with advice.
	log := []string{"program of this type cannot use helper bpf_probe_read#4", "", "Suggestion:", "", "processed 232 insns"}
	if err := fmt.Errorf("load: %w", &ebpf.VerifierError{Cause: unix.EINVAL, Log: log}); !lockedDown(filepath.Join(t.TempDir(), "none"), err) {
		t.Errorf("%v", err)
	}
}
