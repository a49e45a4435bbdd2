package integration

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/kernelsrc/modern"
)

// withRights is the sensor, with arguments, of a user who has these capabilities only.
func withRights(t *testing.T, caps []uintptr, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to give a part of its capabilities to another user")
	}
	sensor := filepath.Join(dirOf(t, nobody), "sensor")
	b, err := os.ReadFile(sensorPath)
	if err == nil {
		err = os.WriteFile(sensor, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sensor, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: caps}
	return cmd
}

// TestModernRights: the modern probe works with what docs/engines.md says that it needs,
// and nothing else, and says by name what is missing.
func TestModernRights(t *testing.T) {
	if out, err := exec.Command(sensorPath, "--modern-bpf", "-q", "-M", "1").CombinedOutput(); err != nil {
		t.Skipf("needs the modern probe: %s", out)
	}
	const remedy = ": run as root, or give the program what is missing (setpriv, setcap)\n"
	const no = "sensor: --modern-bpf: no permission to load eBPF programs: "
	for _, row := range []struct {
		name string
		caps []uintptr
		want string
	}{
		{"none", nil, no + "CAP_BPF and CAP_PERFMON are missing" + remedy},
		{"no CAP_PERFMON", []uintptr{unix.CAP_BPF, unix.CAP_SYS_PTRACE}, no + "CAP_PERFMON is missing" + remedy},
		{"no CAP_BPF", []uintptr{unix.CAP_PERFMON, unix.CAP_DAC_READ_SEARCH}, no + "CAP_BPF is missing" + remedy},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, err := withRights(t, row.caps, "--modern-bpf", "-M", "1").CombinedOutput()
			if err == nil || string(out) != row.want {
				t.Errorf("got %v, %q, want %q", err, out, row.want)
			}
		})
	}
	t.Run("enough", func(t *testing.T) { enoughRights(t) })
}

// enoughRights lets a sensor run with the capabilities that it needs: it knows what a
// process of another user has had open before, and has given up what it needs no more.
func enoughRights(t *testing.T) {
	early := filepath.Join(t.TempDir(), "early")
	before := exec.Command("/bin/sh", "-c", "exec 7>"+early+"; while :; do echo x >&7; sleep 0.1; done")
	if err := before.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = before.Process.Kill(); _ = before.Wait() })
	cmd := withRights(t, []uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH},
		"--modern-bpf", "-A", fmt.Sprintf("proc.pid=%d and evt.type=write", before.Process.Pid))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), "(<f>"+early+")") {
		t.Errorf("got %q, %v, want a write to %s", lines.Text(), lines.Err(), early)
	}
	const kept = 1<<unix.CAP_BPF | 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_DAC_READ_SEARCH
	for _, set := range []string{"CapPrm", "CapEff"} {
		if got, want := statusField(cmd.Process.Pid, set), fmt.Sprintf("%016x", kept); got != want {
			t.Errorf("%s %s, want %s", set, got, want)
		}
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		continue // to the end, so that it can write it
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestModernRefused: a kernel that has not what the probe needs is told so, in one line.
func TestModernRefused(t *testing.T) {
	refuse := fixture(t, "refuse")
	for _, row := range []struct {
		name string
		argv []string // before the sensor's
		want string   // an expression
	}{
		{"too old", []string{"setarch", "--uname-2.6"},
			`^Error: Actual kernel version is: '2\.6\.\d+' while the minimum required is: '5\.8\.0'\n$`},
		{"no BTF", []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$@"`, "-"},
			`^sensor: --modern-bpf: the kernel does not describe its types \(no /sys/kernel/btf/vmlinux: CONFIG_DEBUG_INFO_BTF\).*: another source is --kmod, or pdig and -u\n$`},
		{"root of a user namespace", []string{"unshare", "-Ur"},
			`^sensor: --modern-bpf: no permission to load eBPF programs, though it has CAP_BPF and CAP_PERFMON here \(a user namespace .*\n$`},
		{"calls that do not reach it", []string{refuse, rule(unix.SYS_GETPID, -1, 0, unix.EPERM)},
			`^sensor: --modern-bpf: the probe is attached, but hears of no system call of this process: a seccomp filter refuses getpid: operation not permitted.*\n$`},
	} {
		t.Run(row.name, func(t *testing.T) {
			needProgram(t, row.argv[0])
			if out, err := exec.Command(row.argv[0], append(row.argv[1:], "/bin/true")...).CombinedOutput(); err != nil {
				t.Skipf("needs %s: %s", strings.Join(row.argv, " "), out)
			}
			if _, err := os.Stat("/sys/kernel/btf"); err != nil && row.name == "no BTF" {
				t.Skip("needs a kernel with BTF that can be hidden: ", err)
			}
			out, err := exec.Command(row.argv[0], append(row.argv[1:], sensorPath, "--modern-bpf", "-M", "1")...).CombinedOutput()
			if err == nil || !regexp.MustCompile(row.want).Match(out) {
				t.Errorf("got %v, %q, want %s", err, out, row.want)
			}
		})
	}
}

// TestModernNoMemory: rings that there is no room for are told of with what to do.
func TestModernNoMemory(t *testing.T) {
	if out, err := exec.Command(sensorPath, "--modern-bpf", "-q", "-M", "1").CombinedOutput(); err != nil {
		t.Skipf("needs the modern probe: %s", out)
	}
	limit := "memory.max"
	group, err := os.MkdirTemp("/sys/fs/cgroup", "pdig-")
	if _, noLimit := os.Stat(filepath.Join(group, limit)); err != nil || noLimit != nil {
		_ = os.Remove(group)
		limit = "memory.limit_in_bytes"
		group, err = os.MkdirTemp("/sys/fs/cgroup/memory", "pdig-")
	}
	if err != nil {
		t.Skip("needs root, and cgroups that limit memory: ", err)
	}
	defer os.Remove(group)
	if err := os.WriteFile(filepath.Join(group, limit), []byte("100M"), 0); err != nil {
		t.Skip("needs cgroups that limit memory: ", err)
	}
	cmd := exec.Command("sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(group, "cgroup.procs"), sensorPath, "--modern-bpf", "--buffer-preset", "10", "-M", "1")
	out, err := cmd.CombinedOutput()
	const want = "sensor: --modern-bpf: a ring of 536870912 bytes: creating map: map create: cannot allocate memory: " +
		"use a smaller --buffer-preset, or fewer rings (--cpus-per-buffer)\n"
	if err == nil || string(out) != want {
		t.Errorf("got %v, %q, want %q", err, out, want)
	}
}

// TestModernNamespace: in another pid namespace than the first the numbers of the kernel are not
// those of /proc. There a process with the number of the sensor is neither taken for it nor left out.
func TestModernNamespace(t *testing.T) {
	needFirstNamespace(t)
	needProgram(t, "unshare")
	inside := []string{"--pid", "--fork", "--mount-proc", "sh", "-c", `echo $1 >/proc/sys/kernel/ns_last_pid; shift; "$@"; exit`, "-"}
	if out, err := exec.Command("unshare", append(inside, "100", "true")...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Skipf("needs CAP_SYS_ADMIN (a pid namespace) and ns_last_pid (CONFIG_CHECKPOINT_RESTORE): %v, %s", err, out)
	}
	probe, err := modern.Open(modern.Config{RingSize: os.Getpagesize()})
	if withoutModern(err) {
		t.Skipf("the probe needs Linux 5.8 with BTF, and CAP_BPF and CAP_PERFMON: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	probe.Close()
	busy := exec.Command("sh", "-c", "while sleep 0.1; do : </etc/passwd; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = busy.Process.Kill()
		_ = busy.Wait()
	}()
	pid := busy.Process.Pid
	args := append(inside, strconv.Itoa(pid-1), sensorPath, "--modern-bpf", "-M", "30", "-n", "1",
		"-p", "*%proc.pid %proc.name %fd.name", "evt.type=openat and evt.dir=< and fd.name=/etc/passwd and proc.pid="+strconv.Itoa(pid))
	cmd := exec.Command("unshare", args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if want := strconv.Itoa(pid) + " <NA> /etc/passwd\n"; err != nil || string(out) != want {
		t.Errorf("got %v, %q, want %q", err, out, want)
	}
	if want := "--pid=host"; !strings.Contains(said.String(), want) {
		t.Errorf("said %q, want %q in it", said.String(), want)
	}
}
