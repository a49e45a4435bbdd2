package doctor

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pdig/pdig/shm"
)

// Examine tries everything. It takes as long as two or three launches do, and
// seconds if something does not answer. Role is what stands before the options when
// this program is to run a command.
func Examine(ring shm.Config, role ...string) Facts {
	runtime.LockOSThread() // whose children the subjects are
	defer runtime.UnlockOSThread()
	f := Facts{
		Surroundings: examineSurroundings(),
		Tracing:      examineTracing(),
		Proc:         examineProc(),
		Limits:       examineLimits(),
	}
	f.Ring, f.RingErr = shm.Inspect(ring)
	f.Launched = launch(role)
	return f
}

// launchTime is how long a command may take: without a filter it stops at each of its calls,
// which on an emulated machine has taken more than 10 s.
const launchTime = time.Minute

// launch has this program start itself as a command, over a ring without a name,
// and counts the records.
func launch(role []string) Launched {
	l := Launched{Status: -1}
	if err := l.run(role); err != nil {
		l.Words = err.Error()
	}
	return l
}

func (l *Launched) run(role []string) error {
	self, err := os.Executable()
	if err != nil { // no /proc
		if self, err = exec.LookPath(os.Args[0]); err != nil {
			return err
		}
	}
	if strings.HasPrefix(self, "/memfd:") {
		self = "/proc/self/exe"
	}
	ring, err := shm.NewPrivate(0)
	if err != nil {
		return err
	}
	consumer, err := ring.Consumer(shm.ConsumerConfig{})
	if err != nil {
		return errors.Join(err, ring.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), launchTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, append(slices.Clip(role), "--ring", ring.Prefix(), "--events", "exec", "--", self, "--version")...)
	// Pipes, as there may be no /dev/null.
	var words strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), io.MultiWriter(), &words
	err = ring.HandOver(cmd.Start)
	if err == nil {
		err = cmd.Wait()
		l.Status = cmd.ProcessState.ExitCode()
		l.Words = strings.TrimSuffix(words.String(), "\n")
	}
	for {
		if _, err := consumer.Next(); err != nil {
			break // nothing more has come
		}
		l.Records++
	}
	var status *exec.ExitError
	if errors.As(err, &status) && ctx.Err() == nil {
		err = nil // which is told
	}
	return errors.Join(err, ring.Close(), consumer.Close())
}
