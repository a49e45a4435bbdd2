package integration

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestNobodyStarves has a process make a few calls while many children make
// them all the time: the kernel tells the tracer of the children first.
func TestNobodyStarves(t *testing.T) {
	t.Parallel()
	program := fixture(t, "starve")
	const children, limit = "50", time.Minute
	cmd := exec.Command(pdigPath, "--ring", ring(t), "-e", "all", "--", program, children)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it sends a signal to its group
	killed := time.AfterFunc(limit, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer killed.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "1000\n" {
		t.Errorf("1000 calls beside %s busy children: %v, printed %q, want 1000 within %v", children, err, out, limit)
	}
}
