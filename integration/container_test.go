package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// container is what runc is told of a container. It has a root of its own with
// the programs of this machine, pdig and the fixtures in it, and below /out a
// directory of the test.
type container struct {
	user    containerUser
	seccomp any      // linux.seccomp
	noShm   bool     // there is no /dev/shm
	shm     string   // the directory outside that is /dev/shm, as for all containers of a pod; empty: 64 MiB of its own
	noExec  bool     // nothing in /out can be executed
	pidOf   int      // a process whose pid namespace it shares, 0 none
	ipcOf   int      // likewise for the IPC namespace
	bare    bool     // there is no shell, nor any other program of this machine
	env     []string // variables besides PATH
	out     string   // /out
	args    []string
	tool    []string // the runtime, with its options; none: runc

	runtime, id string
}

// containerUser is as whom a container runs.
type containerUser struct {
	name         string
	uid          int
	caps         []string
	noNewPrivs   bool
	readOnlyRoot bool
	mapped       bool // in a user namespace, as without root outside
}

// mappedTo is the user outside that is root in a user namespace.
const mappedTo = 100000

// outside is the user as others see it.
func (u *containerUser) outside() int {
	if u.mapped {
		return mappedTo + u.uid
	}
	return u.uid
}

// dockerCaps are the capabilities of a container of Docker.
var dockerCaps = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

var (
	asRoot     = containerUser{name: "root", caps: dockerCaps}
	asTracer   = containerUser{name: "SYS_PTRACE", caps: append([]string{"CAP_SYS_PTRACE"}, dockerCaps...)}
	asMapped   = containerUser{name: "user namespace", caps: dockerCaps, mapped: true}
	asDropped  = containerUser{name: "no capability"}
	asUser     = containerUser{name: "user", uid: 1000}
	asConfined = containerUser{name: "confined", uid: 1000, noNewPrivs: true, readOnlyRoot: true}
)

// needContainers skips a test where runc runs no container.
func needContainers(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: runc needs it for containers")
	}
	needProgram(t, "runc")
	if out := tryContainer(); out != "" {
		t.Skipf("no namespaces and mounts for containers (CAP_SYS_ADMIN): %s", out)
	}
}

// tryContainer is why there are no containers.
var tryContainer = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "pdig-container-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	c := &container{args: []string{"/usr/bin/true"}}
	if err := c.make(dir); err != nil {
		return err.Error()
	}
	out, err := c.command().CombinedOutput()
	if err != nil {
		words, _ := os.ReadFile(c.runtime + ".log")
		return fmt.Sprintf("%v: %s%s", err, out, words)
	}
	return ""
})

// prepare makes the files of a container, which does not outlive the test.
func (c *container) prepare(t *testing.T) {
	t.Helper()
	dir := dirOf(t, c.user.outside())
	if c.out == "" {
		c.out = filepath.Join(dir, "out")
	}
	if err := c.make(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// There is none any more, as a rule.
		_ = c.runc("delete", "--force", c.id).Run()
	})
}

// command is what runs the container in the foreground.
func (c *container) command() *exec.Cmd {
	cmd := c.runc("run", c.id)
	cmd.Dir = filepath.Dir(c.runtime)
	return cmd
}

// runc is a command of the runtime. What it has to say of its own goes into a
// file, not to the standard error of the container.
func (c *container) runc(args ...string) *exec.Cmd {
	tool := c.tool
	if tool == nil {
		tool = []string{"runc"}
	}
	return exec.Command(tool[0], slices.Concat(tool[1:], []string{"--root", c.runtime, "--log", c.runtime + ".log"}, args)...)
}

// start starts the container.
func (c *container) start(t *testing.T, args ...string) *process {
	t.Helper()
	c.args = args
	c.prepare(t)
	return start(t, c.command())
}

// run runs the container to its end.
func (c *container) run(t *testing.T, args ...string) result {
	t.Helper()
	return c.start(t, args...).wait(t)
}

func (c *container) make(dir string) error {
	root := filepath.Join(dir, "rootfs")
	c.runtime, c.id = filepath.Join(dir, "runc"), filepath.Base(dir)
	var errs []error
	for _, name := range []string{"dev", "etc", "out", "pdig", "proc", "programs"} {
		errs = append(errs, os.MkdirAll(filepath.Join(root, name), 0o755))
	}
	mounts := []any{
		mount("/proc", "proc", "proc"),
		mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "size=64k"),
		bind("/pdig", filepath.Dir(pdigPath), "ro"),
		bind("/programs", fixtureDir, "ro"),
	}
	if c.out != "" {
		errs = append(errs, os.MkdirAll(c.out, 0o755), os.Chown(c.out, c.user.outside(), c.user.outside()))
		options := []string{"rw"}
		if c.noExec {
			options = append(options, "noexec", "nosuid", "nodev")
		}
		mounts = append(mounts, bind("/out", c.out, options...))
	}
	if !c.bare { // the users of the machine
		for _, name := range []string{"/etc/passwd", "/etc/group"} {
			// What is mounted on is there: a runtime in a user namespace may not make it.
			errs = append(errs, os.WriteFile(filepath.Join(root, name), nil, 0o644))
			mounts = append(mounts, bind(name, name, "ro"))
		}
	}
	for _, name := range []string{"bin", "lib", "lib32", "lib64", "sbin", "usr"} {
		if c.bare {
			break
		}
		if to, err := os.Readlink("/" + name); err == nil {
			errs = append(errs, os.Symlink(to, filepath.Join(root, name)))
		} else if _, err := os.Stat("/" + name); err == nil {
			errs = append(errs, os.Mkdir(filepath.Join(root, name), 0o755))
			mounts = append(mounts, bind("/"+name, "/"+name, "ro"))
		}
	}
	switch {
	case c.noShm:
	case c.shm != "":
		mounts = append(mounts, bind("/dev/shm", c.shm, "nosuid", "noexec", "nodev"))
	default:
		mounts = append(mounts, mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"))
	}
	var namespaces []any
	for _, kind := range []string{"mount", "ipc", "network", "pid", "uts"} {
		ns := map[string]any{"type": kind}
		if kind == "pid" && c.pidOf != 0 {
			ns["path"] = fmt.Sprintf("/proc/%d/ns/pid", c.pidOf)
		}
		if kind == "ipc" && c.ipcOf != 0 {
			ns["path"] = fmt.Sprintf("/proc/%d/ns/ipc", c.ipcOf)
		}
		namespaces = append(namespaces, ns)
	}
	linux := map[string]any{"namespaces": namespaces}
	if c.user.mapped {
		ids := []any{map[string]any{"containerID": 0, "hostID": mappedTo, "size": 1 << 16}}
		linux["namespaces"] = append(namespaces, map[string]any{"type": "user"})
		linux["uidMappings"], linux["gidMappings"] = ids, ids
	}
	if c.seccomp != nil {
		linux["seccomp"] = c.seccomp
	}
	config, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2",
		"root":       map[string]any{"path": "rootfs", "readonly": c.user.readOnlyRoot},
		"hostname":   "container",
		"mounts":     mounts,
		"linux":      linux,
		"process": map[string]any{
			"user":            map[string]any{"uid": c.user.uid, "gid": c.user.uid},
			"args":            c.args,
			"env":             append([]string{"PATH=/pdig:/programs:/usr/sbin:/usr/bin:/sbin:/bin"}, c.env...),
			"cwd":             "/",
			"noNewPrivileges": c.user.noNewPrivs,
			"capabilities":    map[string]any{"bounding": c.user.caps, "effective": c.user.caps, "permitted": c.user.caps},
		},
	})
	return errors.Join(append(errs, err, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600))...)
}

func mount(to, kind, from string, options ...string) any {
	return map[string]any{"destination": to, "type": kind, "source": from, "options": options}
}

func bind(to, from string, options ...string) any {
	return mount(to, "bind", from, append([]string{"rbind"}, options...)...)
}

// init is the first process of the running container.
func (c *container) init(t *testing.T) int {
	t.Helper()
	out, err := c.runc("state", c.id).Output()
	var state struct{ PID int }
	if err := errors.Join(err, json.Unmarshal(out, &state)); err != nil {
		t.Fatalf("runc state: %v: %s", err, out)
	}
	return state.PID
}
