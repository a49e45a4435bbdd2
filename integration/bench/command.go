package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limit is far more than any single command takes.
const limit = 2 * time.Minute

// runVariant runs n turns of a loop once and returns the time of one turn.
func runVariant(ctx context.Context, t tools, l loop, v variant, n int) (ns float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var s *sensor
	if v.sensor {
		if s, err = startSensor(ctx, t.sensor, v.ring); err != nil {
			return 0, err
		}
	}
	ns, done, err := l.work.run(ctx, t, v, n)
	if s != nil {
		err = errors.Join(err, s.stop(done*l.events))
	}
	return ns, err
}

// command is a command below v. What it prints is dropped; its complaints are
// in the error of [variant.finish].
func (v variant) command(ctx context.Context, argv ...string) *exec.Cmd {
	args := append(v.prefix[:len(v.prefix):len(v.prefix)], argv...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = new(bytes.Buffer)
	return cmd
}

func (v variant) start(cmd *exec.Cmd) error {
	err := start(cmd, v.oneCPU)
	if err == nil && v.sensor {
		raiseTracer(cmd.Process.Pid)
	}
	return err
}

// finish starts a command and waits for its end.
func (v variant) finish(cmd *exec.Cmd) error {
	err := v.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(fmt.Sprint(cmd.Stderr)))
	}
	return err
}

// start starts a command in a session of its own, at high priority, and where
// wanted with all its descendants on the first CPU that we may use.
func start(cmd *exec.Cmd, oneCPU bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if oneCPU {
		var all, one unix.CPUSet
		if err := unix.SchedGetaffinity(0, &all); err != nil {
			return fmt.Errorf("affinity: %w", err)
		}
		for cpu := 0; one.Count() == 0; cpu++ {
			if all.IsSet(cpu) {
				one.Set(cpu)
			}
		}
		// The child has the affinity of the thread that starts it.
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("affinity: %w", err)
		}
		defer unix.SchedSetaffinity(0, &all)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	raise(cmd.Process.Pid)
	return nil
}

// raise gives the session of a process the highest priority among sessions.
// Where that is not permitted, all variants run without.
func raise(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", pid), []byte("-20"), 0)
}

// raiseTracer does the same for pdig's tracer, which has a session of its own
// and appears within milliseconds.
func raiseTracer(pid int) {
	for range 50 {
		if tracer := tracerOf(pid); tracer != 0 {
			raise(tracer)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func tracerOf(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(status, []byte("\nTracerPid:\t"))
	line, _, _ := bytes.Cut(after, []byte("\n"))
	n, _ := strconv.Atoi(string(line))
	return n
}

// sensor is one that reads a ring.
type sensor struct {
	cmd   *exec.Cmd
	words bytes.Buffer
}

// settle is longer than a sensor needs to take a ring it has just created, or
// to read what is left in one.
const settle = 300 * time.Millisecond

func startSensor(ctx context.Context, program, ring string) (*sensor, error) {
	s := &sensor{cmd: exec.CommandContext(ctx, program, "-u", "--ring", ring, "-o", "/dev/null")}
	s.cmd.Stderr = &s.words
	if err := start(s.cmd, false); err != nil {
		return nil, fmt.Errorf("sensor: %w", err)
	}
	time.Sleep(settle)
	return s, nil
}

var delivered = regexp.MustCompile(`(?m)^events: (\d+) delivered, (\d+) lost`)

// stop ends the sensor and fails when it did not see what it had to see: a
// figure of a full ring would be no figure of the tracer.
func (s *sensor) stop(atLeast int) error {
	time.Sleep(settle)
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("sensor: %w: %s", err, s.words.String())
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("sensor: %w: %s", err, s.words.String())
	}
	return checkCounts(s.words.String(), atLeast)
}

// checkCounts reads what a sensor said at its end.
func checkCounts(words string, atLeast int) error {
	m := delivered.FindStringSubmatch(words)
	if m == nil {
		return fmt.Errorf("sensor: no line with the counts: %s", words)
	}
	got, err := strconv.Atoi(m[1])
	if err != nil {
		return fmt.Errorf("sensor: %w", err)
	}
	if got < atLeast || m[2] != "0" {
		return fmt.Errorf("sensor: %s events delivered, %s lost, want at least %d and none", m[1], m[2], atLeast)
	}
	return nil
}
