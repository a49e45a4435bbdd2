package tracer

import (
	"bytes"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// TestPeek: memory that only PTRACE_PEEKDATA reads is what the file has, from and
// up to any byte, and ends where that ends.
func TestPeek(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/bin/true", "peeked")
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		t.Fatalf("status %#x, %v", uint32(status), err)
	}
	var in sys.SyscallInfo
	if errno := infoFromRegs(&thread{tid: pid}, &in, sys.SyscallNone); errno != 0 {
		t.Fatal(errno)
	}
	file := memory{pid: pid}
	defer file.close()
	peek := memory{pid: pid, still: pid, tried: true, hidden: true}
	size := 1 << 20 // more than there is above the stack pointer
	for from := range uint64(9) {
		want, got := make([]byte, size), make([]byte, size)
		n := file.read(want, in.SP+from)
		if n == 0 || n == size {
			t.Fatalf("%d bytes of the stack", n)
		}
		if m := peek.read(got, in.SP+from); m != n || !bytes.Equal(got, want) {
			t.Errorf("from byte %d: %d bytes, want %d, or others", from, m, n)
		}
		for to := range 18 {
			if m := peek.read(got[:to], in.SP+from); m != to || !bytes.Equal(got[:to], want[:to]) {
				t.Errorf("%d bytes from byte %d: %d, or others", to, from, m)
			}
		}
	}
	// The arguments stand behind their number.
	if got := peek.stringList(nil, in.SP+8, 8, newListLimits(0)); string(got.strings) != "/bin/true\x00peeked\x00" {
		t.Errorf("arguments %q", got.strings)
	}
}
