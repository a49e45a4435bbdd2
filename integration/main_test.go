package integration

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
)

// Paths of the built commands.
var pdigPath, sensorPath, falcoTracePath string

// prebuilt is for where nothing can be built: see the target vm-arm64.
var prebuilt = flag.String("prebuilt", "", "the `directory` with pdig, sensor and the traced programs, instead of building them")

func TestMain(m *testing.M) {
	flag.DurationVar(&patience, "patience", patience, "how long a command may take")
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// Below nohup, or in the background of a shell without job control.
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			if err := sys.DefaultAction(sig); err != nil {
				fmt.Fprintf(os.Stderr, "signal %v: %v\n", sig, err)
				return 1
			}
		}
	}
	bin, err := built()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pdigPath, sensorPath, falcoTracePath = filepath.Join(bin, "pdig"), filepath.Join(bin, "sensor"), filepath.Join(bin, "falco-trace")
	dir, err := os.MkdirTemp("", "pdig-fixtures-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // for other users
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fixtureDir = dir
	before := runningPdig()
	code := m.Run()
	if pids := leftBehind(before); len(pids) > 0 && code == 0 {
		fmt.Fprintf(os.Stderr, "tracers are left behind, with nobody to trace: %v\n", pids)
		return 1
	}
	if *reportOracle && !oracleReport(os.Stdout) {
		return 1
	}
	return code
}

// leftBehind are those that still run pdig when all tests have ended, that did not when
// they began, and have the reaper as their parent: the others belong to somebody else's
// tests.
func leftBehind(before []int) (pids []int) {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		pids = slices.DeleteFunc(runningPdig(), func(pid int) bool {
			return slices.Contains(before, pid) || leading(statusField(pid, "PPid")) != 1
		})
		if len(pids) == 0 {
			break
		}
	}
	return pids
}

// runningPdig are the processes that run the program of these tests.
func runningPdig() (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if exe, err := os.Readlink(link); err == nil && strings.TrimSuffix(exe, " (deleted)") == pdigPath {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// built is the directory with the commands.
func built() (string, error) {
	if *prebuilt != "" {
		return filepath.Abs(*prebuilt)
	}
	if out, err := exec.Command("make", "-C", "..", "build").CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, out)
	}
	return filepath.Abs("../bin")
}

var (
	fixtureDir string
	fixtures   sync.Map // name -> func() (string, error)
)

// fixture compiles testdata/NAME.c and returns the program. It is static, so
// that its calls are its own.
func fixture(t testing.TB, name string) string {
	t.Helper()
	if *prebuilt != "" {
		return prebuiltProgram(t, name)
	}
	needCompiler(t)
	return compiled(t, name, name)
}

func needCompiler(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc to compile the traced program with")
	}
}

// compiled makes a program of testdata/SOURCE.c, once.
func compiled(t testing.TB, name, source string, options ...string) string {
	t.Helper()
	build := sync.OnceValues(func() (string, error) {
		program := filepath.Join(fixtureDir, name)
		argv := slices.Concat(options, []string{"-O1", "-static", "-pthread", "-Wall", "-Werror", "-Wno-unused-result",
			"-o", program, filepath.Join("testdata", source+".c")})
		out, err := exec.Command("gcc", argv...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("gcc: %w\n%s", err, out)
		}
		return program, nil
	})
	f, _ := fixtures.LoadOrStore(name, build)
	program, err := f.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// prebuiltProgram is a traced program that was built before.
func prebuiltProgram(t testing.TB, name string) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(*prebuilt, name))
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Skipf("not built: %v", err)
	}
	return program
}

// ring returns the prefix of a ring of this test alone.
func ring(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "pdig-test-")
	if err != nil {
		t.Skipf("no /dev/shm to write to: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "ring")
}

// consume makes the test the reader of a ring, until it ends.
func consume(t *testing.T, cfg shm.Config) *shm.Consumer {
	t.Helper()
	return consumeAs(t, shm.ConsumerConfig{Config: cfg})
}

func consumeAs(t *testing.T, cfg shm.ConsumerConfig) *shm.Consumer {
	t.Helper()
	c, err := shm.NewConsumer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// dirOf is a directory of a user that others can look into, unlike t.TempDir.
func dirOf(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pdig-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.Chown(dir, uid, uid), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// result is what a caller of a command sees.
type result struct {
	stdout, stderr string
	status         syscall.WaitStatus
}

// runCommand runs a command to its end.
func runCommand(t *testing.T, argv ...string) result {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.Sys().(syscall.WaitStatus)}
}
