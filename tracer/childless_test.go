package tracer

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

// TestChildren: where the kernel has no list of a thread's children all processes are
// looked at.
func TestChildren(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = cmd.Wait()
	}()
	var tr Tracer
	self, none := os.Getpid(), []int{1 << 30}
	for name, threads := range map[string][]int{"told": tids(self), "not told": none} {
		if got := tr.children(self, threads); !slices.Contains(got, cmd.Process.Pid) {
			t.Errorf("%s: %v, want %d among them", name, got, cmd.Process.Pid)
		}
	}
	if got := tr.children(cmd.Process.Pid, none); len(got) > 0 {
		t.Errorf("children of one without any: %v", got)
	}
}
