package sys

import (
	"os"
	"os/exec"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestQuietChildStops: no SIGCHLD for a child that stops, but one for a child
// that ends; and the first again when it is asked for.
func TestQuietChildStops(t *testing.T) {
	c := make(chan os.Signal, 10)
	signal.Notify(c, unix.SIGCHLD)
	defer signal.Reset(unix.SIGCHLD)
	// It stops a child and ends it, and tells how often it heard of the stop.
	stops := func() (n int) {
		t.Helper()
		cmd := exec.Command("sleep", "100")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			select {
			case <-c:
			case <-time.After(10 * time.Second):
				t.Error("no SIGCHLD for the end of a child")
			}
		}()
		if err := unix.Kill(cmd.Process.Pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		var ws unix.WaitStatus
		if _, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
			t.Fatalf("status %#x, %v", int(ws), err)
		}
		select {
		case <-c:
			n++
		case <-time.After(200 * time.Millisecond):
		}
		return n
	}
	if got := stops(); got != 1 {
		t.Fatalf("with the runtime's handler: %d signals for a stop, want 1", got)
	}
	if err := QuietChildStops(); err != nil {
		t.Fatal(err)
	}
	if got := stops(); got != 0 {
		t.Errorf("after QuietChildStops: %d signals for a stop, want 0", got)
	}
	if err := TellChildStops(); err != nil {
		t.Fatal(err)
	}
	if got := stops(); got != 1 {
		t.Errorf("after TellChildStops: %d signals for a stop, want 1", got)
	}
}
