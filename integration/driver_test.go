package integration

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// driverTest lets TestDriver change which module is in the kernel.
var driverTest = flag.Bool("driver", false, "let TestDriver build the drivers in /usr/src, load and unload them")

// TestDriver: of sources and headers a driver is made, loaded, read and unloaded, and each
// step says what came of it: see the target guests.
func TestDriver(t *testing.T) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	sources, _ := filepath.Glob("/usr/src/scap-*/Makefile")
	headers := filepath.Join("/lib/modules", unix.ByteSliceToString(u.Release[:]), "build")
	if _, err := os.Stat(headers); !*driverTest || len(sources) == 0 || err != nil {
		t.Skip("needs a machine of its own (-driver) with the sources of a driver in /usr/src, and the headers of its kernel: ", err)
	}
	t.Setenv("HOME", t.TempDir())
	unload := func() { _ = exec.Command(sensorPath, "--driver", "unload").Run() }
	unload() // which may have been loaded for other tests
	t.Cleanup(unload)
	t.Run("kmod", func(t *testing.T) {
		drive(t, 1, "there is no driver for this kernel", "status")
		drive(t, 0, "built "+os.Getenv("HOME"), "build")
		drive(t, 0, ": loaded", "load")
		drive(t, 0, "is loaded already", "load")
		drive(t, 0, "used 0 times", "status")
		reader := readModule(t, unix.SIGTERM, []string{sensorPath, "--kmod", "-A"})
		path := filepath.Join(t.TempDir(), "it-reads")
		reader.wait(path, func() { _, _ = os.Stat(path); _, _ = os.Open(path) })
		drive(t, 1, "somebody reads it", "unload")
		reader.end()
		drive(t, 0, "is unloaded", "unload")
		drive(t, 0, "no module is loaded", "unload")
		drive(t, 1, "no module is loaded", "status")
		cmd := exec.Command(sensorPath, "--driver", "load", "--driver-dir", shared(t))
		cmd.Env = append(os.Environ(), "HOST_ROOT="+t.TempDir()) // without sources
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("it needs CAP_SYS_MODULE")) {
			t.Errorf("another user: %v: %s", err, out)
		}
	})
	t.Run("ebpf", func(t *testing.T) {
		if _, err := exec.LookPath("clang"); err != nil {
			t.Skip("needs clang: ", err)
		}
		probe := []string{"--driver-type", "ebpf"}
		drive(t, 0, ": loaded", "load", probe...)
		drive(t, 0, "for this kernel", "status", probe...)
		if out, err := exec.Command(sensorPath, "--ebpf", "-q", "-M", "1").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		drive(t, 0, "removed", "unload", probe...)
	})
}

// shared is a directory, which others may read, with the module that was built.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "driver-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	built, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".falco/*/*/scap_*.ko"))
	if len(built) != 1 {
		t.Fatalf("what was built: %q", built)
	}
	module, err := os.ReadFile(built[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scap.ko"), module, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// drive runs sensor --driver, and wants its status and what it says.
func drive(t *testing.T, status int, want, action string, more ...string) {
	t.Helper()
	cmd := exec.Command(sensorPath, append([]string{"--driver", action}, more...)...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %s", strings.Join(cmd.Args[1:], " "), bytes.TrimSpace(out))
	if got := cmd.ProcessState.ExitCode(); got != status || !bytes.Contains(out, []byte(want)) {
		t.Fatalf("status %d, %v, want %d and %q", got, err, status, want)
	}
}
