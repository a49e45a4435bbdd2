package integration

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
)

// TestStuckReader: a reader that makes no room holds a command that shall lose
// no event, and does not keep it from being killed.
func TestStuckReader(t *testing.T) {
	t.Parallel()
	const busy = `while :; do : < /dev/null; done`
	for name, script := range map[string]string{
		"alone":         busy,
		"with children": `(` + busy + `) & (` + busy + `) & ` + busy,
		"waiting":       `(` + busy + `) & (` + busy + `) & wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := ring(t)
			const size = 64 << 10
			c, err := shm.NewConsumer(shm.ConsumerConfig{Config: shm.Config{Prefix: prefix, Size: size}})
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(pdigPath, "--ring", prefix, "--on-full", "block", "--", "sh", "-c", script)
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			cmd.Stdout, cmd.Stderr = null, null // a pipe would stay open in the children
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			p := start(t, cmd)
			defer func() { _ = syscall.Kill(-p.pid(), syscall.SIGKILL) }() // the children
			standsStill(t, c)
			_ = syscall.Kill(p.pid(), syscall.SIGKILL)
			if r := p.wait(t); !r.status.Signaled() {
				t.Errorf("got %s, want an end by SIGKILL", r)
			}
			if err := c.Close(); err != nil { // which lets go of the children
				t.Error(err)
			}
		})
	}
}

// TestStuckReaderChild: nor does it keep a child of the command from being
// killed, while an end that is none by force waits for room.
func TestStuckReaderChild(t *testing.T) {
	t.Parallel()
	prefix := ring(t)
	c, err := shm.NewConsumer(shm.ConsumerConfig{Config: shm.Config{Prefix: prefix, Size: 64 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	const busy = `while :; do : < /dev/null; done`
	cmd := exec.Command(pdigPath, "--ring", prefix, "--on-full", "block", "--", "sh", "-c", `(`+busy+`) & echo $!; `+busy)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatal(err)
	}
	standsStill(t, c)
	if s := c.Stats(); s.LostTotal() != 0 {
		t.Errorf("lost %v before anybody was killed", s.Lost)
	}
	_ = syscall.Kill(child, syscall.SIGKILL)
	eventually(t, "the end of the child", func() bool { return gone(child) })
	_ = syscall.Kill(p.pid(), syscall.SIGKILL)
	if r := p.wait(t); !r.status.Signaled() {
		t.Errorf("got %s, want an end by SIGKILL", r)
	}
	if s := c.Stats(); s.LostTotal() != s.Lost[event.CauseRingFull] {
		t.Errorf("lost %v, want all because the ring was full", s.Lost)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// standsStill waits until nothing is written any more.
func standsStill(t *testing.T, c *shm.Consumer) {
	t.Helper()
	const still = time.Second
	seen, since := c.Stats().Seen, time.Now()
	for seen == 0 || time.Since(since) < still {
		time.Sleep(10 * time.Millisecond)
		if n := c.Stats().Seen; n != seen {
			seen, since = n, time.Now()
		}
	}
}
