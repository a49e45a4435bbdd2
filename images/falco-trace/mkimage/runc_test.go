package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pdig/pdig/images/archive"
)

// bundle is a container for runc: what a runtime makes of an image.
type bundle struct {
	dir      string
	uid      int
	caps     []string
	readOnly bool // the root, and no_new_privs is set
	shm      bool
	falco    string // the directory outside that is /falco inside, if any
	env      []string
}

var dockerCaps = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// run runs a command in the container to its end.
func (b *bundle) run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	mount := func(to, kind, from string, options ...string) any {
		return map[string]any{"destination": to, "type": kind, "source": from, "options": options}
	}
	mounts := []any{mount("/proc", "proc", "proc"), mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "size=64k")}
	if b.shm {
		mounts = append(mounts, mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"))
	}
	if b.falco != "" {
		mounts = append(mounts, mount("/falco", "bind", b.falco, "rbind"))
	}
	var namespaces []any
	for _, kind := range []string{"mount", "ipc", "network", "pid", "uts"} {
		namespaces = append(namespaces, map[string]any{"type": kind})
	}
	config, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2",
		"root":       map[string]any{"path": "rootfs", "readonly": b.readOnly},
		"mounts":     mounts,
		"linux":      map[string]any{"namespaces": namespaces},
		"process": map[string]any{
			"user": map[string]any{"uid": b.uid, "gid": b.uid}, "args": args, "env": b.env, "cwd": "/", "noNewPrivileges": b.readOnly,
			"capabilities": map[string]any{"bounding": b.caps, "effective": b.caps, "permitted": b.caps},
		},
	})
	if err := errors.Join(err, os.WriteFile(filepath.Join(b.dir, "config.json"), config, 0o600)); err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("falco-trace-image-%d-%d", os.Getpid(), time.Now().UnixNano())
	state := filepath.Join(b.dir, "runc")
	cmd := exec.Command("runc", "--root", state, "--log", state+".log", "run", id)
	cmd.Dir = b.dir
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	t.Cleanup(func() {
		// There is none any more, as a rule.
		_ = exec.Command("runc", "--root", state, "delete", "--force", id).Run()
	})
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	log, _ := os.ReadFile(state + ".log")
	if len(log) > 0 {
		words.Write(log)
	}
	return out.String(), words.String(), cmd.ProcessState.ExitCode()
}

// newBundle has the files of the image for this machine, if wanted, and the program work.
func newBundle(t *testing.T, withImage bool) *bundle {
	t.Helper()
	b := &bundle{dir: t.TempDir(), env: []string{searchPath}}
	root := filepath.Join(b.dir, "rootfs")
	for _, name := range []string{"dev", "falco", "proc", "usr"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if withImage {
		for _, layer := range layers(t, image(t, "falco-trace-"+runtime.GOARCH+".tar")) {
			unpack(t, layer, root)
		}
	}
	buildWork(t, root)
	return b
}

// buildWork makes the program work in a directory.
func buildWork(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "work")
	build := exec.Command("go", "build", "-o", program, "./testdata/work")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func needRunc(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_SYS_ADMIN for the namespaces and mounts of containers")
	}
	if _, err := exec.LookPath("runc"); err != nil {
		t.Skip("needs runc, which .ci/run installs")
	}
	b := &bundle{dir: t.TempDir(), env: []string{searchPath}}
	if err := os.MkdirAll(filepath.Join(b.dir, "rootfs", "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, stderr, _ := b.run(t, "/nothing"); !strings.Contains(stderr, "/nothing") {
		t.Skipf("needs CAP_SYS_ADMIN, for the namespaces and mounts of containers: %s", stderr)
	}
}

// TestRunc: a command in the unpacked image is what it is without falco-trace, and its
// events are there.
func TestRunc(t *testing.T) {
	needRunc(t)
	a, err := archive.Open(image(t, "falco-trace-"+runtime.GOARCH+".tar"), archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Images[0].Config.Config
	b := newBundle(t, true)
	b.env = append(slices.Clone(c.Env), "FALCO_TRACE_OUTPUT=stderr")
	for _, user := range []bundle{{caps: dockerCaps, shm: true}, {uid: 1000, readOnly: true}} {
		b.uid, b.caps, b.readOnly, b.shm = user.uid, user.caps, user.readOnly, user.shm
		want := fmt.Sprintf("pid 1, uid %d, /work a b, open /etc/nothing: no such file or directory\n", user.uid)
		if stdout, stderr, status := b.run(t, "/work", "a", "b"); stdout != want || status != 7 {
			t.Fatalf("without: got %d, %s%s", status, stdout, stderr)
		}
		stdout, stderr, status := b.run(t, append(slices.Clone(c.Entrypoint), "/work", "a", "b")...)
		if stdout != want || status != 7 {
			t.Errorf("uid %d: got %d, %s%s", user.uid, status, stdout, stderr)
		}
		for _, want := range []string{" < execve res=0 exe=/work args=a.b. ", "name=/etc/nothing ", "procexit status=1792 ", " delivered, 0 lost"} {
			if !strings.Contains(stderr, want) {
				t.Errorf("uid %d: there is no %q in\n%s", user.uid, want, stderr)
			}
		}
	}
}

// TestRuncCopy: the image brings the program to a container that has none, without a
// shell in either.
func TestRuncCopy(t *testing.T) {
	needRunc(t)
	volume := t.TempDir()
	if err := os.Chmod(volume, 0o777); err != nil {
		t.Fatal(err)
	}
	first := newBundle(t, true)
	first.falco, first.uid, first.readOnly = volume, 1000, true
	if stdout, stderr, status := first.run(t, "/"+program, "copy", "/falco"); status != 0 || stdout+stderr != "" {
		t.Fatalf("got %d, %s%s", status, stdout, stderr)
	}
	app := newBundle(t, false)
	app.falco, app.uid, app.readOnly = volume, 1001, true
	stdout, stderr, status := app.run(t, "/falco/falco-trace", "run", "-o", "stderr", "--", "/work")
	if want := "pid 1, uid 1001, /work, open /etc/nothing: no such file or directory\n"; stdout != want || status != 7 || !strings.Contains(stderr, "name=/etc/nothing ") {
		t.Errorf("got %d, %s%s", status, stdout, stderr)
	}
}
