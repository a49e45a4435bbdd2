package doctor

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
)

func examineSurroundings() Surroundings {
	var name unix.Utsname
	_ = unix.Uname(&name)
	s := Surroundings{
		Kernel:     unix.ByteSliceToString(name.Release[:]),
		Machine:    runtime.GOARCH,
		Container:  container(unix.ByteSliceToString(name.Version[:])),
		UID:        unix.Geteuid(),
		Yama:       procfs.Yama(),
		Label:      text("/proc/self/attr/current"),
		DenyPtrace: strings.HasPrefix(text("/sys/fs/selinux/booleans/deny_ptrace"), "1"),
		OwnEntry:   true,
	}
	var data [2]unix.CapUserData
	if unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]) == nil {
		s.Caps = uint64(data[0].Effective) | uint64(data[1].Effective)<<32
	}
	nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	s.NoNewPrivs = err == nil && nnp == 1
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	s.Filtered = err == nil && mode == unix.SECCOMP_MODE_FILTER
	if m := strings.Fields(text("/proc/self/uid_map")); len(m) == 3 {
		s.UserNS = m[0] != "0" || m[1] != "0" || m[2] != "4294967295"
	}
	if exe, err := os.Readlink("/proc/self/exe"); err == nil {
		s.OwnEntry = !strings.HasPrefix(exe, "/memfd:") // see launch.Reexec
	}
	s.TracedBy = tracer()
	return s
}

// text is the content of a small file, empty if there is none.
func text(path string) string {
	b, _ := os.ReadFile(path)
	return strings.Trim(string(b), " \n\x00")
}

// field is a field of a status file of /proc.
func field(path, name string) string {
	_, rest, _ := strings.Cut("\n"+text(path), "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// tracer is the process that traces this one, with its name.
func tracer() string {
	id, _ := strconv.Atoi(field("/proc/self/status", "TracerPid"))
	if id == 0 {
		return ""
	}
	status := fmt.Sprintf("/proc/%d/status", id)
	return fmt.Sprintf("process %s (%q)", field(status, "Tgid"), field(status, "Name"))
}

// gVisorVersion is the version of the kernel that gVisor claims to be.
const gVisorVersion = "#1 SMP Sun Jan 10 15:06:54 PST 2016"

// container is what made the container, so that a remedy can be said in its words.
// From inside it cannot be known for certain, and nothing else depends on it.
func container(version string) string {
	exists := func(path string) bool {
		_, err := os.Lstat(path)
		return err == nil
	}
	switch {
	case version == gVisorVersion:
		return "gvisor"
	case os.Getenv("ECS_CONTAINER_METADATA_URI_V4") != "", os.Getenv("ECS_CONTAINER_METADATA_URI") != "":
		return "ecs"
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "", exists("/var/run/secrets/kubernetes.io"):
		return "kubernetes"
	case exists("/.dockerenv"):
		return "docker"
	case exists("/run/.containerenv"):
		return "podman"
	}
	return ""
}

func examineProc() Proc {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return Proc{}
	}
	p := Proc{Mounted: true, Foreign: self != strconv.Itoa(os.Getpid())}
	if _, err := procfs.Root(); p.Foreign && err == nil {
		p.Replace = true
	}
	_, err = os.Lstat("/proc/1")
	p.Hides = err != nil && !p.Foreign && unix.Kill(1, 0) != unix.ESRCH
	return p
}
