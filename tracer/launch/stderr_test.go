package launch

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMute: until the command is started the runtime can print nothing; what
// is said on purpose comes through, and the command has its descriptor.
func TestMute(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		got := run(t, becomeBin, "+mute", mode, "/bin/sh", "-c", "echo from the command >&2")
		if want := "before the command\nfrom the command\n"; got.status != 0 || got.stderr != want {
			t.Errorf("got status %d, %q, want %q", got.status, got.stderr, want)
		}
	})
	t.Run("refused", func(t *testing.T) {
		got := run(t, becomeBin, "+mute", "+die=seize", "true")
		if want := "before the command\nbecome: seize: input/output error\n"; got.status != StatusFailed || got.stderr != want {
			t.Errorf("got status %d, %q, want %q", got.status, got.stderr, want)
		}
	})
	t.Run("closed", func(t *testing.T) {
		got := run(t, "/bin/sh", "-c", `exec 2>&-; exec "$0" +mute +filter /bin/sh -c "readlink /proc/self/fd/2; echo here"`, becomeBin)
		if got.status != 0 || got.out != "here\n" {
			t.Errorf("got status %d, %q, want a command without descriptor 2", got.status, got.out)
		}
	})
}

// TestMuteNonblocking: what is said waits for a reader.
func TestMuteNonblocking(t *testing.T) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	s := &stderr{stderr: int32(fds[1])}
	const size = 1 << 20 // more than a pipe holds
	done := make(chan error, 1)
	go func() {
		_, err := s.Write([]byte(strings.Repeat("x", size)))
		unix.Close(fds[1])
		done <- err
	}()
	total, buf := 0, make([]byte, 4096)
	for {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}}, -1)
		n, err := unix.Read(fds[0], buf)
		if n <= 0 && !errors.Is(err, unix.EAGAIN) {
			break
		}
		total += max(n, 0)
	}
	unix.Close(fds[0])
	if err := <-done; err != nil || total != size {
		t.Errorf("got %d bytes, %v, want %d", total, err, size)
	}
}

// TestRaisedLimits: the tracer's limits are as high as they may be, those of
// the command as they were.
func TestRaisedLimits(t *testing.T) {
	for _, row := range []struct {
		name, value string
		resource    int
	}{
		{"-v", "1000000", unix.RLIMIT_AS},
		{"-d", "1000000", unix.RLIMIT_DATA},
		{"-s", "1000", unix.RLIMIT_STACK},
		{"-n", "1000", unix.RLIMIT_NOFILE},
		{"-t", "1000", unix.RLIMIT_CPU},
		{"-f", "1000", unix.RLIMIT_FSIZE},
	} {
		set := "ulimit -S " + row.name
		cmd := exec.Command("/bin/sh", "-c", set+" "+row.value+`; exec "$0" +filter /bin/sh -c '`+set+`; grep TracerPid /proc/self/status; read x'`, becomeBin)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		wait := start(t, cmd)
		var soft string
		var tracer int
		if _, err := fmt.Fscanf(out, "%s\nTracerPid: %d\n", &soft, &tracer); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		var limit unix.Rlimit
		if err := unix.Prlimit(tracer, row.resource, nil, &limit); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		stdin.Close()
		if got := wait(); got.stderr != "" {
			t.Errorf("%s: %s", row.name, got.stderr)
		}
		if soft != row.value || limit.Cur != limit.Max {
			t.Errorf("%s: the command has %s, the tracer %d of %d", row.name, soft, limit.Cur, limit.Max)
		}
	}
}
