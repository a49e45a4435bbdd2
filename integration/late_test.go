package integration

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// TestLateReader: a reader that comes while a program runs is told of the
// threads that it gets events of, in another pid namespace too, where /proc
// tells it nothing; and so is the one after it.
func TestLateReader(t *testing.T) {
	t.Parallel()
	needProgram(t, "bash")
	for name, flags := range map[string]uintptr{"same namespace": 0, "another namespace": syscall.CLONE_NEWPID} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if flags != 0 {
				needRoot(t)
			}
			prefix := ring(t)
			traced := exec.Command(pdigPath, "--ring", prefix, "--", "/bin/bash", "-c", `echo; while read line; do : < /dev/null; done`)
			stdin, err := traced.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := traced.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := traced.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { stdin.Close(); _ = traced.Wait() }()
			if _, err := io.ReadFull(stdout, make([]byte, 1)); err != nil { // bash runs
				t.Fatal(err)
			}
			for range 2 {
				text := lateReader(t, prefix, flags, stdin)
				first := regexp.MustCompile(`^1 \S+ 0 bash \(\d+\) < clone res=0 exe=/bin/bash args=-c\.`)
				if !first.MatchString(text) || bytes.Contains([]byte(text), []byte("<NA>")) {
					t.Errorf("a late sensor prints\n%s\nwant who it is about first, and no <NA>", text)
				}
			}
		})
	}
}

// TestEndedWait: who ends a command that waits for a reader ends the whole of
// it. A tracer that went on would keep the outputs of the command open.
func TestEndedWait(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"--wait-sensor=forever", "--priority=security"} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(option+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				prefix := ring(t)
				traced := exec.Command(pdigPath, "--ring", prefix, option, "--", "echo", "started")
				stdout, err := traced.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := traced.Start(); err != nil {
					t.Fatal(err)
				}
				eventually(t, "there is a ring", func() bool { _, err := os.Stat(prefix + "_descs"); return err == nil })
				time.Sleep(50 * time.Millisecond) // and a wait
				_ = traced.Process.Signal(sig)
				out := make(chan string, 1)
				go func() {
					text, _ := io.ReadAll(stdout)
					out <- string(text)
				}()
				select {
				case text := <-out:
					if text != "" {
						t.Errorf("got %q", text)
					}
				case <-time.After(patience):
					t.Error("its output is still open")
					stdout.Close()
				}
				_ = traced.Wait()
				if got := traced.ProcessState.Sys().(syscall.WaitStatus); got.Signal() != sig {
					t.Errorf("got status %#x, want %v", uint32(got), sig)
				}
			})
		}
	}
}

// lateReader starts a sensor, has the program go on until it has printed six
// events, and returns them.
func lateReader(t *testing.T, prefix string, flags uintptr, program io.Writer) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, sensorPath, "-u", "--ring", prefix, "-n", "6")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("sensor: %v: %s", err, words.String())
			}
			return out.String()
		case <-time.After(20 * time.Millisecond):
			if _, err := program.Write([]byte("\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
