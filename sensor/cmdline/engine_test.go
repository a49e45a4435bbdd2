package cmdline

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoModule: what is missing, and what to do.
func TestNoModule(t *testing.T) {
	t.Setenv("HOST_ROOT", t.TempDir())
	var out, words bytes.Buffer
	status := run([]string{"--kmod", "--buffer-preset", "1"}, strings.NewReader(""), &out, &words)
	want := "sensor: --kmod: the kernel module is not loaded: there is no device /dev/falco0 nor /dev/scap0: " +
		"load it (sensor --driver load)\n"
	if status != statusFailed || words.String() != want {
		t.Errorf("status %d, %q", status, words.String())
	}
}

// TestEngines: a line for each, and the status says whether there is one that works.
func TestEngines(t *testing.T) {
	t.Setenv("HOST_ROOT", t.TempDir())
	dir := t.TempDir()
	for _, row := range []struct {
		ring string
		last string
	}{
		{dir + "/ring", "userspace  usable    " + dir + "/ring can be made"},
		{dir + "/none/ring", "userspace  unusable  "},
	} {
		var out, words bytes.Buffer
		status := run([]string{"--engines", "--ring", row.ring}, strings.NewReader(""), &out, &words)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		want := statusFailed
		if strings.Contains(out.String(), " usable ") { // the modern probe may be
			want = 0
		}
		if status != want || len(lines) != 4 || words.Len() > 0 {
			t.Fatalf("status %d, want %d: %q %q", status, want, out.String(), words.String())
		}
		for i, e := range engines() {
			if !strings.HasPrefix(lines[i], e.name+" ") {
				t.Errorf("line %q, want %s", lines[i], e.name)
			}
		}
		if want := "kmod       unusable  the kernel module is not loaded"; !strings.HasPrefix(lines[1], want) {
			t.Errorf("line %q, want %q", lines[1], want)
		}
		if !strings.HasPrefix(lines[3], row.last) {
			t.Errorf("line %q, want %q", lines[3], row.last)
		}
	}
}

// TestNoProbe: which file is the probe, and what is wrong with it.
func TestNoProbe(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	usual := filepath.Join(home, usualProbe)
	for name, row := range map[string]struct {
		args  []string
		probe string // the variable
		set   bool
		want  string
	}{
		"usual":        {[]string{"--ebpf"}, "", false, usual},
		"file":         {[]string{"--ebpf=/nowhere/a.o"}, "/nowhere/b.o", true, "/nowhere/a.o"},
		"variable":     {nil, "/nowhere/b.o", true, "/nowhere/b.o"},
		"both":         {[]string{"--ebpf"}, "/nowhere/b.o", true, "/nowhere/b.o"},
		"empty":        {nil, "", true, usual},
		"other source": {[]string{"--kmod"}, "/nowhere/b.o", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOST_ROOT", t.TempDir())
			t.Setenv(probeVariable, row.probe)
			if !row.set {
				if err := os.Unsetenv(probeVariable); err != nil {
					t.Fatal(err)
				}
			}
			var out, words bytes.Buffer
			status := run(row.args, strings.NewReader(""), &out, &words)
			want := "sensor: --ebpf: " + row.want + ": no such file or directory\n"
			if row.want == "" {
				want = "sensor: --kmod: the kernel module is not loaded"
			}
			if status != statusFailed || !strings.HasPrefix(words.String(), want) {
				t.Errorf("status %d, %q", status, words.String())
			}
		})
	}
}

// TestCapabilityMask: a kernel that does not know a capability yet lets the sensor keep the
// one that stood for it.
func TestCapabilityMask(t *testing.T) {
	keep := []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_IPC_LOCK}
	for last, want := range map[int]uint64{
		unix.CAP_AUDIT_READ:         1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_IPC_LOCK, // Linux 5.7
		unix.CAP_CHECKPOINT_RESTORE: 1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON | 1<<unix.CAP_IPC_LOCK,
	} {
		if got := capabilityMask(keep, func(c int) bool { return c <= last }); got != want {
			t.Errorf("capabilities up to %d: got %#x, want %#x", last, got, want)
		}
	}
}
