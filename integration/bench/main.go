// Command bench runs the same loops and programs natively, under strace --seccomp-bpf, under
// the least that a tracer has to do (programs/floor.c), and under pdig with a sensor
// that reads every event, and prints how long one turn of each took.
//
// All variants of a loop run in turn, once per round, so that what else the
// machine does hits all alike. A figure is the median over the rounds; a ratio
// is the median of the ratios within each round. Every command runs at the
// highest scheduling priority that it may have, because those of one session
// compete with all other sessions otherwise. A run of pdig counts only when
// the sensor got every event of the loop and none was lost.
//
// Then it has sysdig and the sensor read captures of many events.
//
// It needs gcc and strace, and the two programs that make builds. Programs that
// are not installed are left out.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
)

var (
	//go:embed programs/tracee.c
	traceeSource []byte
	//go:embed programs/floor.c
	floorSource []byte
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	bin := flags.String("bin", "bin", "directory of pdig and sensor")
	rounds := flags.Int("rounds", 7, "how often each variant runs")
	scale := flags.Float64("scale", 1, "multiplies the turns of each loop")
	which := flags.String("loop", "", "run only loops whose title matches this expression")
	only := flags.String("only", "", "run only variants whose name matches this expression, besides native")
	markdown := flags.Bool("md", false, "print Markdown, for docs/performance.md")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	match, err := regexp.Compile(*only)
	title, titleErr := regexp.Compile(*which)
	if err != nil || titleErr != nil || *rounds < 1 || *scale <= 0 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "bench: a bad value, see bench -h")
		return 2
	}
	tools, cleanup, err := prepare(ctx, *bin)
	defer cleanup()
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
	out := tablePrinter{out: stdout, markdown: *markdown}
	out.machine(describeMachine(ctx, *rounds))
	for _, l := range loops {
		if !title.MatchString(l.title) {
			continue
		}
		if name := l.missing(); name != "" {
			fmt.Fprintf(stderr, "bench: %s: not run: %s is not installed\n", l.title, name)
			continue
		}
		t, err := measure(ctx, tools, l, l.turns(*scale), *rounds, match, stderr)
		if err != nil {
			fmt.Fprintf(stderr, "bench: %s: %v\n", l.title, err)
			return 1
		}
		out.table(l.title, t)
	}
	if err := readers(ctx, tools, title.MatchString, *scale, *rounds, out, stderr); err != nil {
		fmt.Fprintf(stderr, "bench: captures: %v\n", err)
		return 1
	}
	return 0
}

// tools are the programs that are run.
type tools struct {
	tracee, floor, pdig, sensor string
	dir                         string // for rings, in memory
	build                       string // for what is large
}

// prepare compiles the C programs and finds the others. The returned function
// removes what it left on the disk, and is never nil.
func prepare(ctx context.Context, bin string) (t tools, cleanup func(), err error) {
	cleanup = func() {}
	// Below /dev/shm, so that no ring is ever written to a disk.
	if t.dir, err = os.MkdirTemp("/dev/shm", "pdig-bench-"); err != nil {
		return t, cleanup, err
	}
	cleanup = func() { os.RemoveAll(t.dir) }
	for _, need := range []string{"gcc", "strace"} {
		if _, err := exec.LookPath(need); err != nil {
			return t, cleanup, fmt.Errorf("needs %s: %w", need, err)
		}
	}
	build, err := os.MkdirTemp("", "pdig-bench-")
	if err != nil {
		return t, cleanup, err
	}
	cleanup = func() { os.RemoveAll(t.dir); os.RemoveAll(build) }
	t.build = build
	t.tracee = filepath.Join(build, "tracee")
	t.floor = filepath.Join(build, "floor")
	if err := errors.Join(compile(ctx, t.tracee, traceeSource), compile(ctx, t.floor, floorSource)); err != nil {
		return t, cleanup, err
	}
	if t.pdig, err = filepath.Abs(filepath.Join(bin, "pdig")); err != nil {
		return t, cleanup, err
	}
	t.sensor = filepath.Join(filepath.Dir(t.pdig), "sensor")
	for _, need := range []string{t.pdig, t.sensor} {
		if _, err := exec.LookPath(need); err != nil {
			return t, cleanup, fmt.Errorf("needs what make builds: %w", err)
		}
	}
	return t, cleanup, nil
}

func compile(ctx context.Context, to string, source []byte) error {
	file := to + ".c"
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", to, file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile %s: %w\n%s", file, err, out)
	}
	return nil
}
