package doctor

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSubject: a copy of the process makes the calls that it is told to, and is
// gone at the end.
func TestSubject(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := newSubject()
	if err != nil {
		t.Fatal(err)
	}
	if pid, errno := s.call(unix.SYS_GETPID); errno != 0 || int(pid) != s.pid || s.pid == unix.Getpid() {
		t.Errorf("got pid %d, %v, want %d", pid, errno, s.pid)
	}
	if _, errno := s.call(unix.SYS_CLOSE, ^uintptr(0)); errno != unix.EBADF {
		t.Errorf("got %v, want EBADF", errno)
	}
	s.end()
	if err := unix.Kill(s.pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestExamineTracing tries everything on this machine: nothing stays untried, and
// no process is left.
func TestExamineTracing(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	got := examineTracing()
	for name, o := range map[string]Outcome{
		"child": got.Child, "options": got.Options, "seize": got.Seize, "stop": got.Stop, "memory file": got.MemoryFile,
		"peek": got.Peek, "filter": got.FilterNNP, "filter stop": got.FilterStop,
	} {
		if !o.OK() {
			t.Errorf("%s: %v", name, o)
		}
	}
	for name, o := range map[string]Outcome{
		"sibling": got.Sibling, "hidden": got.Hidden, "filter": got.Filter, "listener": got.Listener, "call info": got.CallInfo,
		"readv": got.ReadV, "pidfd": got.PidfdOpen,
	} {
		if o == Untried || o == Silent {
			t.Errorf("%s: %v", name, o)
		}
	}
	if got.EntryBefore {
		t.Error("calls stop in the order of Linux 4.7")
	}
	var status unix.WaitStatus
	if pid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WALL, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("child %d is left, %v", pid, err)
	}
}
