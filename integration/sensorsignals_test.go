package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

// signalMask is a line of /proc/PID/status such as SigIgn: bit n-1 is signal n.
func signalMask(t *testing.T, pid int, line string) uint64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n"+line+":")
	value, _, _ := strings.Cut(rest, "\n")
	mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mask
}

func maskOf(signals ...syscall.Signal) (mask uint64) {
	for _, s := range signals {
		mask |= 1 << (s - 1)
	}
	return mask
}

// watching starts a sensor through a shell that has run the given words, and
// returns it when it captures.
func watching(t *testing.T, words string) *exec.Cmd {
	t.Helper()
	prefix := ring(t)
	cmd := exec.Command("/bin/sh", "-c", words+`; exec "$0" "$@"`, sensorPath, "-u", "--ring", prefix,
		"-o", filepath.Join(t.TempDir(), "events"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended unless the test failed
	p, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: prefix}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for end := time.Now().Add(patience); !p.Active(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no sensor after a minute: %s", &stderr)
		}
	}
	return cmd
}

// TestIgnoredSignals: what nohup or a shell has ignored for the sensor stays
// ignored, for the command too.
func TestIgnoredSignals(t *testing.T) {
	ignored := maskOf(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT)
	const words = `trap "" HUP INT QUIT`
	cmd := watching(t, words)
	if mask := signalMask(t, cmd.Process.Pid, "SigIgn"); mask&ignored != ignored {
		t.Errorf("ignored are %#x, want %#x", mask, ignored)
	}
	for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatalf("%v: %v", sig, err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v, want status 0", err)
	}

	got := runCommand(t, "/bin/sh", "-c", words+`; exec "$0" -q -- grep SigIgn /proc/self/status`, sensorPath)
	mask, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(got.stdout, "SigIgn:")), 16, 64)
	if err != nil || mask&ignored != ignored {
		t.Errorf("the command ignores %q, want %#x; %v", got.stdout, ignored, err)
	}
}

// TestQuit: SIGQUIT ends a sensor as it ends other programs, without a word.
func TestQuit(t *testing.T) {
	cmd := watching(t, ":")
	if err := cmd.Process.Signal(unix.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGQUIT {
		t.Errorf("ended with %v, want SIGQUIT", err)
	}
	if words := cmd.Stderr.(*strings.Builder).String(); words != "" {
		t.Errorf("said %q", words)
	}
}

// TestEverySignalPassed wants each signal that is meant for the command to reach it, not
// only the first one (P4), and none that is about the sensor itself.
func TestEverySignalPassed(t *testing.T) {
	t.Parallel()
	const script = `for s in HUP INT QUIT USR1 USR2 CONT; do trap "echo $s" $s; done
		trap 'echo TERM; n=$((n+1)); [ $n = 3 ] && exit 9' TERM
		echo ready; while :; do sleep 0.02; done`
	cmd := exec.Command(sensorPath, "-o", "/dev/null", "--", "sh", "-c", script)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true} // no terminal that would send them to both
	g := startTargetCmd(t, cmd)
	command := 0
	eventually(t, "the command is there", func() bool {
		for _, command = range children(g.pid()) {
			return statusField(command, "Name") == "sh"
		}
		return false
	})
	send := func(pid int, sig unix.Signal) {
		t.Helper()
		if err := unix.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(sig unix.Signal) {
		t.Helper()
		if got, want := g.line(t), strings.TrimPrefix(unix.SignalName(sig), "SIG")+"\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for range 3 {
		// A stop is the sensor's own: the command goes on.
		send(g.pid(), unix.SIGSTOP)
		eventually(t, "the sensor is stopped", func() bool { return strings.HasPrefix(statusField(g.pid(), "State"), "T") })
		send(command, unix.SIGUSR1)
		answered(unix.SIGUSR1)
		send(g.pid(), unix.SIGCONT)
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM} {
			send(g.pid(), sig)
			answered(sig)
		}
	}
	if got, want := g.finish(t), "status 0x900\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
