package cmdline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// follow starts the command under pdig, over a ring of its own, prints its
// events until it ends, and returns its status.
func (p *program) follow() (int, error) {
	pdig, err := p.host.findPdig()
	if err != nil {
		return 0, err
	}
	ring, err := shm.NewPrivate(p.size)
	if err != nil {
		return 0, err
	}
	// It reads before there is a writer, so that no event comes too early.
	consumer, err := ring.Consumer(shm.ConsumerConfig{Snaplen: p.snaplen, Ceiling: p.ceiling(), Truth: true, Log: p.log})
	if err != nil {
		return 0, errors.Join(err, ring.Close())
	}
	// The command is an ordinary child: it is in our process group, and job
	// control and the terminal's signals find both.
	cmd := exec.Command(pdig, append(slices.Clone(p.host.Tracer), p.pdigArgs(ring.Prefix())...)...)
	cmd.Args[0] = "pdig"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stdout, p.stderr
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedSignals()...)
	defer func() {
		signal.Stop(signals) // nothing is sent after it
		close(signals)
	}()
	err = ring.HandOver(cmd.Start)
	if closeErr := ring.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, errors.Join(err, consumer.Close())
	}

	ended, end := context.WithCancel(context.Background())
	go func() {
		// Its error is the status, or one of copying that is of no account.
		_ = cmd.Wait()
		end()
	}()
	var own os.Signal
	if p.recent > 0 {
		own = unix.SIGUSR2
	}
	go pass(signals, cmd.Process, own)
	err = p.loop(ended, consumer, living(p.show.lines))
	if err != nil {
		complain(p.stderr, err) // at once: the command may run for long
	}
	<-ended.Done()
	status := commandStatus(cmd.ProcessState)
	if err != nil && status == 0 {
		status = statusFailed
	}
	return status, nil
}

// What pdig takes for --args-limit.
const (
	minArgsLimit = 64
	maxArgsLimit = 1 << 16
)

// pdigArgs are the arguments of pdig.
func (p *program) pdigArgs(prefix string) []string {
	args := []string{"--ring", prefix}
	if events := p.events(); len(events) > 0 {
		args = append(args, "--events", strings.Join(events, ","))
	}
	if p.waitAll {
		args = append(args, "--wait-all")
	}
	if p.adopt {
		args = append(args, "--adopt")
	}
	if p.argsLimit > 0 {
		args = append(args, "--args-limit", strconv.Itoa(p.argsLimit))
	}
	if p.snaplen > 0 {
		args = append(args, "--snaplen", strconv.Itoa(p.snaplen))
	}
	return append(append(args, "--"), p.command...)
}

// events are what pdig is asked for, nothing if that is what it records anyway.
func (p *program) events() (words []string) {
	if p.all {
		return []string{"all"}
	}
	for i := range syscalls.Calls {
		if c := &syscalls.Calls[i]; c.Level > syscalls.LevelSecurity && p.filtersFor(c) {
			words = append(words, c.Name)
		}
	}
	if len(words) > 0 {
		words = append([]string{"security"}, words...)
	}
	return words
}

// findPdig returns this program, if it is pdig too, or the pdig beside it, else that of PATH.
func (h Host) findPdig() (string, error) {
	if h.Tracer != nil {
		return sys.Self()
	}
	if self, err := executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "pdig")
		if _, err := exec.LookPath(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath("pdig")
	if err != nil {
		return "", fmt.Errorf("pdig, which runs the command, is neither beside this program nor in PATH: %w", err)
	}
	return path, nil
}

// executable is the path of this program. Without /proc it is what the program
// was called, as far as that names it.
func executable() (string, error) {
	if path, err := os.Executable(); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// commandStatus is the exit status of the command, or minus the signal that
// ended it.
func commandStatus(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return -int(w.Signal())
	}
	return s.ExitCode()
}
