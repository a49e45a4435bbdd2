package launch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Programs of testdata, built by TestMain.
var becomeBin, oddBin, probeBin, binDir string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "launch")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binDir = dir
	becomeBin, oddBin, probeBin = filepath.Join(dir, "become"), filepath.Join(dir, "odd"), filepath.Join(dir, "probe")
	err = errors.Join(
		os.Chmod(dir, 0o755), // other users run these programs too
		goBuild(becomeBin, "become", "-ldflags=-E _pdig_start"),
		goBuild(oddBin, "odd"),
		goBuild(probeBin, "probe"),
		// Tracers are left to their parents' subreaper: this process sees
		// whether any is left behind.
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := nobodyLeft(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// goBuild builds a program of testdata; its environment may be extended by
// arguments with an equals sign that do not begin with a dash.
func goBuild(to, name string, args ...string) error {
	cmd := exec.Command("go", "build", "-o", to)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			cmd.Args = append(cmd.Args, a)
		} else {
			cmd.Env = append(cmd.Env, a)
		}
	}
	cmd.Args = append(cmd.Args, "./testdata/"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", name, err, out)
	}
	return nil
}

// nobodyLeft reaps the tracers, all of which must have ended.
func nobodyLeft() error {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			return nil
		case pid == 0 && time.Now().After(end):
			return errors.New("processes are left behind after 5 s")
		}
	}
}

// result is what the caller of a program sees.
type result struct {
	pid         int
	out, stderr string
	status      int // as a shell counts
}

// sources reads what the programs of testdata are built from: the go command
// takes a result from its cache unless a file that the test has read differs.
var sources = func() func(testing.TB) {
	var once sync.Once
	return func(t testing.TB) {
		once.Do(func() {
			for _, pattern := range []string{"*.go", "*.s", "testdata/*/*.go", "../../internal/sys/*.go"} {
				names, err := filepath.Glob(pattern)
				if err != nil || len(names) == 0 {
					t.Fatalf("%s: %d files, %v", pattern, len(names), err)
				}
				for _, name := range names {
					if _, err := os.ReadFile(name); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}()

// limit is when a test program must have ended; it kills what has not.
const limit = 20 * time.Second

// start begins a program; the function returned waits for its end.
func start(t testing.TB, cmd *exec.Cmd) func() result {
	t.Helper()
	sources(t)
	var out, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		if errors.Is(err, unix.EPERM) {
			t.Skipf("lacks the privilege for another namespace or user: %v", err)
		}
		t.Fatal(err)
	}
	killer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	return func() result {
		t.Helper()
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if !killer.Stop() {
			t.Fatalf("%v: had to be killed\n%s%s", cmd.Args, &out, &stderr)
		}
		status := cmd.ProcessState.ExitCode()
		if ws := cmd.ProcessState.Sys().(interface {
			Signaled() bool
			Signal() unix.Signal
		}); ws.Signaled() {
			status = 128 + int(ws.Signal())
		}
		return result{cmd.Process.Pid, out.String(), stderr.String(), status}
	}
}

func run(t testing.TB, args ...string) result {
	t.Helper()
	return start(t, exec.Command(args[0], args[1:]...))()
}

// modes are the ways in which a command is traced.
var modes = []string{"+close=1000", "+filter", "+listener"}

func eachMode(t *testing.T, test func(t *testing.T, mode string)) {
	for _, mode := range modes {
		t.Run(mode[1:], func(t *testing.T) { test(t, mode) })
	}
}

// file makes an executable file.
func file(t testing.TB, name, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}
