package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// TestSameOutput runs programs that print what they notice, natively and
// traced, and wants no difference.
func TestSameOutput(t *testing.T) {
	for _, name := range []string{"restart", "untraced", "affinity"} {
		t.Run(name, func(t *testing.T) {
			program := fixture(t, name)
			native := runCommand(t, program)
			if native.status != 0 || native.stdout == "" {
				t.Fatalf("natively: status %#x, %q", native.status, native.stdout)
			}
			stdout, records := traceInto(t, "-e", "all", "--", program)
			if diff := cmp.Diff(native.stdout, stdout); diff != "" {
				t.Errorf("with a reader (-native +traced)\n%s", diff)
			}
			if len(records) == 0 {
				t.Error("no records")
			}
			quiet := runCommand(t, pdigPath, "--ring", ring(t), "-e", "all", "--", program)
			if diff := cmp.Diff(native, quiet, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("without a reader (-native +traced)\n%s", diff)
			}
		})
	}
}

// TestUntracedShared: where CLONE_UNTRACED cannot be taken away there is no child,
// rather than one whose calls fail or are not recorded.
func TestUntracedShared(t *testing.T) {
	t.Parallel()
	program := fixture(t, "untraced")
	for _, every := range []bool{false, true} {
		w := readWay(t)
		w.every = every
		const want = "shared clone3: Operation not permitted\nstatus 0x0\n"
		if got := w.run(t, program, "shared").String(); !strings.HasSuffix(got, want) {
			t.Errorf("every %v: got %q, want %q at the end", every, got, want)
		}
		w.reader.everybody(t)
		got := results(w.reader.done(t), "clone3")
		if len(got) == 0 || got[len(got)-1] != -int64(unix.EPERM) {
			t.Errorf("every %v: clone3 gives %v, want EPERM as the last", every, got)
		}
	}
}

// half is one half of a call in a stream of records.
type half struct {
	tid   int64
	typ   uint16
	res   int64
	hasIt bool
}

func halves(t *testing.T, records [][]byte) []half {
	t.Helper()
	var list []half
	for _, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		h := half{tid: v.TID(), typ: v.Type()}
		if p := v.Info().Params; !syscalls.IsEnter(v.Type()) && len(p) > 0 && (p[0].Name == "res" || p[0].Name == "fd") {
			h.res, h.hasIt = v.Int(0)
		}
		list = append(list, h)
	}
	return list
}

// TestInterruptedCallIsOne wants one enter and one exit half of each call that a
// signal has interrupted, whatever the kernel made of it, and results that a
// program can see.
func TestInterruptedCallIsOne(t *testing.T) {
	const readE, readX = 6, 7
	_, records := traceInto(t, "-e", "read", "--", fixture(t, "restart"))
	var reads []int64
	open := false
	list := halves(t, records)
	for _, h := range list {
		if h.tid != list[0].tid {
			continue // a child
		}
		if h.hasIt && h.res <= -512 && h.res >= -516 {
			t.Errorf("event %d has the result %d, a restart code of the kernel", h.typ, h.res)
		}
		switch h.typ {
		case readE:
			if open {
				t.Error("a read begins before the one before has ended")
			}
			open = true
		case readX:
			if !open {
				t.Error("a read ends that has not begun")
			}
			open = false
			reads = append(reads, h.res)
		}
	}
	if diff := cmp.Diff([]int64{-int64(unix.EINTR), 1, 1}, reads); diff != "" {
		t.Errorf("results of read (-want +got)\n%s", diff)
	}
}

// TestFirstAndLastEvent wants the birth of the command first, its end last, and
// all of it in the ring when its parent learns of the end.
func TestFirstAndLastEvent(t *testing.T) {
	_, records := traceInto(t, "--", "/bin/sh", "-c", "/bin/false; exit 0")
	var first, last event.View
	if err := first.Parse(records[0]); err != nil {
		t.Fatal(err)
	}
	if res, _ := first.Int(0); first.Type() != syscalls.CloneX || res != 0 {
		t.Errorf("the first event is %s with result %d, want the clone exit of the command", first.Name(), res)
	}
	if err := last.Parse(records[len(records)-1]); err != nil {
		t.Fatal(err)
	}
	if status, _ := last.Int(0); last.Type() != syscalls.ProcExitE || last.TID() != first.TID() || status != 0 {
		t.Errorf("the last event is %s of %d with %d, want the procexit of the command with status 0", last.Name(), last.TID(), status)
	}
}

// TestKillOfAll runs a kill of all processes as PID 1 of a namespace: it spares
// its sender, and the tracer with it.
func TestKillOfAll(t *testing.T) {
	script := "sleep 100 & sleep 100 & kill -KILL -1; wait; echo alive; exit 7"
	run := func(argv ...string) (string, syscall.WaitStatus) {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Unshareflags: unix.CLONE_NEWNS,
		}
		out, err := cmd.Output()
		if cmd.ProcessState == nil {
			t.Skipf("no pid namespace, which needs CAP_SYS_ADMIN: %v", err)
		}
		return string(out), cmd.ProcessState.Sys().(syscall.WaitStatus)
	}
	shell := []string{"/bin/sh", "-c", "mount -t proc proc /proc && exec \"$@\"", "sh"}
	native, nativeStatus := run(append(shell, "/bin/sh", "-c", script)...)
	out, status := run(append(shell, pdigPath, "--ring", ring(t), "--", "/bin/sh", "-c", script)...)
	if native != "alive\n" || nativeStatus.ExitStatus() != 7 {
		t.Fatalf("natively: %q, status %d", native, nativeStatus.ExitStatus())
	}
	if out != native || status != nativeStatus {
		t.Errorf("traced: %q, status %#x, natively %q, %#x", out, status, native, nativeStatus)
	}
}

// TestSummary wants the table on stderr, and before the end is known.
func TestSummary(t *testing.T) {
	r := runCommand(t, pdigPath, "--ring", ring(t), "-c", "-e", "openat,exit_group", "--", "/bin/cat", "/nonexistent")
	if r.status.ExitStatus() != 1 {
		t.Errorf("status %#x, want 1", r.status)
	}
	for _, want := range []string{"% time", " openat\n", " exit_group\n", " total\n", "/nonexistent"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
		}
	}
	if strings.Contains(r.stdout, "time") {
		t.Errorf("stdout: %q", r.stdout)
	}
}

// TestNothingIsLeft wants neither a process nor an object but the ring's behind
// a run.
func TestNothingIsLeft(t *testing.T) {
	prefix := ring(t)
	for range 20 {
		if r := runCommand(t, pdigPath, "--ring", prefix, "--", "/bin/true"); r.status != 0 || r.stdout+r.stderr != "" {
			t.Fatalf("status %#x, %q, %q", r.status, r.stdout, r.stderr)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"ring_buf", "ring_descs"}, names); diff != "" {
		t.Errorf("objects (-want +got)\n%s", diff)
	}
}
