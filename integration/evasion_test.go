package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestEvasions: what programs do to get away from a tracer is seen, or refused with
// a record of that. Each opens a file where it hopes not to be seen.
func TestEvasions(t *testing.T) {
	t.Parallel()
	program := fixture(t, "evade")
	for _, c := range []struct {
		way    string
		said   string // natively and traced, if native is empty
		native string
		call   string // that is refused
		amd64  bool
		root   bool
	}{
		// E9: children that leave their family, or ask not to be traced.
		{way: "orphan"},
		{way: "untraced"},
		{way: "untraced3"},
		{way: "untraced80", amd64: true},
		{way: "vfork"},
		// E9: there is a tracer already, or one comes first.
		{way: "traceme", said: "PTRACE_TRACEME: EPERM\n", native: "PTRACE_TRACEME: done\n", call: "ptrace"},
		{way: "traced", said: "PTRACE_SEIZE: EPERM\nPTRACE_ATTACH: EPERM\n", native: "PTRACE_SEIZE: done\nPTRACE_ATTACH: EPERM\n", call: "ptrace"},
		// E9: other namespaces, in which the tracer has no rights.
		{way: "unshare", said: "unshare: done\n", root: true},
		{way: "setns", said: "setns: done\n", root: true},
		{way: "dumpable", said: "PR_SET_DUMPABLE: done\n"},
		// E9: a filter that outranks that of the tracer.
		{way: "listener", said: "a listener: EBUSY\n", native: "a listener: done\n", call: "seccomp"},
		// E6: other ways into the kernel.
		{way: "int80", amd64: true},
		{way: "upper80", amd64: true},
		{way: "x32", amd64: true, said: "x32: ENOENT\n"},
		{way: "vsyscall", amd64: true, said: "vsyscall: done\n"},
	} {
		if c.amd64 && runtime.GOARCH != "amd64" {
			continue // the others have no such way
		}
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			if c.root {
				needRoot(t)
			}
			native := start(t, exec.Command(program, c.way)).wait(t).String()
			if native == c.way+": ENOSYS\nstatus 0x0\n" {
				t.Skip("the kernel takes no such calls (CONFIG_X86_X32_ABI, CONFIG_LEGACY_VSYSCALL_XONLY)")
			}
			want := c.native
			if want == "" {
				want = c.said
			}
			if want += "status 0x0\n"; native != want {
				t.Fatalf("natively: got %s, want %s", native, want)
			}
			for _, every := range []bool{false, true} {
				w := readWay(t)
				w.every = every
				want, refused := c.said, c.call != ""
				if c.way == "listener" && every { // nothing outranks a stop at every call
					want, refused = c.native, false
				}
				if got := w.run(t, program, c.way).String(); got != want+"status 0x0\n" {
					t.Errorf("every %v: got %s, want %s", every, got, want)
				}
				w.reader.everybody(t)
				records := w.reader.done(t)
				checkRecords(t, records)
				if enter, exit := opened(records, "/evaded/"+c.way); enter != 1 || exit != 1 {
					t.Errorf("every %v: %d enter and %d exit halves of what was to be hidden", every, enter, exit)
				}
				if !refused {
					continue
				}
				failed := 0
				for _, res := range results(records, c.call) {
					if res < 0 {
						failed++
					}
				}
				if n := strings.Count(want, ": E"); failed != n {
					t.Errorf("every %v: %d refusals of %s were recorded, want %d", every, failed, c.call, n)
				}
			}
		})
	}
}

// TestUpperHalves: what a thread of 64 bits has in the upper halves of registers is nothing
// to the kernel in a 32-bit call, nor does it hide which of those is made (E6).
func TestUpperHalves(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("needs a kernel of amd64: 32-bit calls of 64-bit programs (int 0x80)")
	}
	program := fixture(t, "evade")
	for _, every := range []bool{false, true} {
		w := readWay(t)
		w.every = every
		if got := w.run(t, program, "connect80").String(); got != "status 0x0\n" {
			t.Errorf("every %v: got %s", every, got)
		}
		w.reader.everybody(t)
		records := w.reader.done(t)
		checkRecords(t, records)
		asked := 0
		for i := range records {
			if r := &records[i]; r.call == "connect" && !r.exit && bytes.Contains(r.Param(param(&r.View, "addr")), []byte("/evaded/connect80")) {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("every %v: %d connects, want 1", every, asked)
		}
	}
}

// TestUntracedByRace: the flag of a clone3 comes when the tracer has looked. The child is
// nobody's until the call has returned, and then it is traced (E9).
func TestUntracedByRace(t *testing.T) {
	t.Parallel()
	if runtime.NumCPU() == 1 {
		t.Skip("needs a second CPU, for the thread that changes the flag")
	}
	program := fixture(t, "slip")
	for range 20 {
		w := readWay(t)
		w.every = true
		got := w.run(t, program).String()
		records := w.reader.done(t)
		checkRecords(t, records)
		switch got {
		case "status 0x0\n":
			if enter, exit := opened(records, "/evaded/slip"); enter == 0 || exit == 0 {
				t.Errorf("%d enter and %d exit halves of what was to be hidden", enter, exit)
			}
			return
		case "status 0x4d00\n": // not yet
		default:
			t.Fatal(got)
		}
	}
	t.Error("no child came to be without a tracer")
}

// TestEvasionsUnprivileged: so it is with a tracer that has no rights beyond its
// user's, which may not look at everybody.
func TestEvasionsUnprivileged(t *testing.T) {
	t.Parallel()
	root(t)
	dir := dirOf(t, nobody)
	program := copyProgram(t, fixture(t, "evade"), filepath.Join(dir, "evade"))
	sensor := copyProgram(t, sensorPath, filepath.Join(dir, "sensor"))
	copyProgram(t, pdigPath, filepath.Join(dir, "pdig"))
	for _, way := range []string{"orphan", "untraced3", "traceme", "traced", "dumpable", "listener"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, way)
			r := start(t, asNobody(sensor, "-A", "-o", file, "-p", "%evt.dir %evt.rawarg.name", "evt.rawarg.name startswith /evaded", "--", program, way)).wait(t)
			if !strings.Contains(r.String(), "status 0x0\n") {
				t.Errorf("got %s", r)
			}
			got, err := os.ReadFile(file)
			if want := "> /evaded/" + way + "\n< /evaded/" + way + "\n"; err != nil || string(got) != want {
				t.Errorf("got %s (%v), want %s", got, err, want)
			}
		})
	}
}
