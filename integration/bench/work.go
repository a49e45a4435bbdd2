package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// work is what a loop does over and over.
type work interface {
	// run does it below v, n times as a rule. It returns what one time took, in ns, and
	// how many were made in all.
	run(ctx context.Context, t tools, v variant, n int) (ns float64, done int, err error)
	// needs are the programs that it takes beside those of tools.
	needs() []string
}

// mode is one of programs/tracee.c, which takes the time itself.
type mode string

func (mode) needs() []string { return nil }

func (m mode) run(ctx context.Context, t tools, v variant, n int) (ns float64, done int, err error) {
	var out bytes.Buffer
	cmd := v.command(ctx, t.tracee, string(m), strconv.Itoa(n))
	cmd.Stdout = &out
	if err := v.finish(cmd); err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(out.String(), &ns, &done); err != nil {
		return 0, 0, fmt.Errorf("output %q: %w", out.String(), err)
	}
	return ns, done, nil
}

// program is a command that is run once and timed from outside. ROUND in its
// arguments is another number each time.
type program []string

func (p program) needs() []string { return p[:1] }

var rounds atomic.Int64

func (p program) run(ctx context.Context, t tools, v variant, _ int) (ns float64, done int, err error) {
	round := strconv.FormatInt(time.Now().Unix()<<8|rounds.Add(1)&0xff, 10)
	var argv []string
	for _, a := range p {
		argv = append(argv, strings.NewReplacer("ROUND", round, "DIR", t.dir).Replace(a))
	}
	begin := time.Now()
	err = v.finish(v.command(ctx, argv...))
	return float64(time.Since(begin).Nanoseconds()), 1, err
}

// server is a server that answers requests of a program that is not traced. In
// all its strings PORT is the port, DIR a directory, and COUNT how many requests
// there are.
type server struct {
	argv  []string
	load  []string
	files map[string]string // that it finds in the directory
}

func (s server) needs() []string { return []string{s.argv[0], s.load[0]} }

func (s server) run(ctx context.Context, t tools, v variant, n int) (ns float64, done int, err error) {
	port, err := freePort()
	if err != nil {
		return 0, 0, err
	}
	words := strings.NewReplacer("PORT", port, "DIR", t.dir, "COUNT", strconv.Itoa(n))
	for name, content := range s.files {
		if err := os.WriteFile(filepath.Join(t.dir, name), []byte(words.Replace(content)), 0o600); err != nil {
			return 0, 0, err
		}
	}
	fill := func(argv []string) []string {
		return strings.Split(words.Replace(strings.Join(argv, "\x00")), "\x00")
	}
	cmd := v.command(ctx, fill(s.argv)...)
	if err := v.start(cmd); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGTERM) // strace and the server
		_ = cmd.Wait()
	}()
	if err := listening(ctx, port); err != nil {
		return 0, 0, err
	}
	argv := fill(s.load)
	load := exec.CommandContext(ctx, argv[0], argv[1:]...)
	begin := time.Now()
	out, err := load.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, out)
	}
	return float64(time.Since(begin).Nanoseconds()) / float64(n), n, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// listening waits until somebody answers on a port.
func listening(ctx context.Context, port string) error {
	for {
		c, err := net.Dial("tcp4", "127.0.0.1:"+port)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("server: %w: %w", ctx.Err(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
