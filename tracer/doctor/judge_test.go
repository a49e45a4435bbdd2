package doctor

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

var update = flag.Bool("update", false, "write the judgements into testdata")

// healthy are the facts of root on a host where everything works.
func healthy() *Facts {
	f := &Facts{
		Surroundings: Surroundings{Kernel: "6.12.3", Machine: "amd64", Caps: ^uint64(0), OwnEntry: true, Label: "unconfined"},
		Proc:         Proc{Mounted: true},
		Ring:         shm.Condition{Name: "/dev/shm/udig", Directory: "/dev/shm", Total: 64 << 20, Free: 60 << 20, Need: 8<<20 + 4096},
		Limits:       []Limit{{limitFiles, 1024, 9}, {limitAddresses, ^uint64(0), 800 << 20}},
		Launched:     Launched{Status: 0, Records: 5},
	}
	return f
}

// without takes capabilities away.
func (f *Facts) without(caps ...int) {
	for _, c := range caps {
		f.Caps &^= 1 << c
	}
}

// profiled are the facts in a container with the default profile of an engine.
func (f *Facts) profiled() {
	f.Filtered = true
	f.without(unix.CAP_SYS_PTRACE, unix.CAP_SYS_ADMIN)
	f.Hidden, f.Filter = outcome(unix.EPERM), outcome(unix.EACCES)
	f.PidfdGetfd = outcome(unix.EPERM)
}

// refusedAll is that no request of ptrace is permitted.
func (f *Facts) refusedAll(errno unix.Errno) {
	f.Tracing = untried()
	f.Child, f.Seize, f.Sibling, f.Hidden = outcome(errno), outcome(errno), outcome(errno), outcome(errno)
	f.Filter, f.FilterNNP, f.Listener = 0, 0, 0
	f.Launched = Launched{Status: 125, Words: "pdig: ptrace is refused: " + errno.Error()}
}

func (f *Facts) noRing(problem, remedy string, err error) {
	f.RingErr = &shm.ObjectError{Path: "/dev/shm/udig_buf", Problem: problem, Remedy: remedy, Err: err}
}

var causes = []struct {
	name string
	make func(*Facts)
}{
	{"all is well", func(*Facts) {}},
	{"docker 28, default", func(f *Facts) { f.Container = "docker"; f.profiled() }},
	{"docker 28, uid 1000, no capability, no_new_privs", func(f *Facts) {
		f.profiled()
		f.Container, f.UID, f.Caps, f.NoNewPrivs, f.Filter = "docker", 1000, 0, true, 0
	}},
	{"kubernetes RuntimeDefault with containerd 1.6.20", func(f *Facts) {
		f.profiled()
		f.Container, f.ReadV = "kubernetes", outcome(unix.EPERM)
	}},
	{"containerd 1.6.0: no ptrace", func(f *Facts) { f.profiled(); f.refusedAll(unix.EPERM) }},
	{"a profile without ptrace, privileged", func(f *Facts) { f.Filtered = true; f.refusedAll(unix.EPERM) }},
	{"ecs fargate, default", func(f *Facts) { f.Container = "ecs"; f.profiled() }},
	{"no ptrace in the kernel", func(f *Facts) { f.refusedAll(unix.ENOSYS) }},
	{"gvisor", func(f *Facts) {
		f.Container, f.Kernel, f.EntryBefore = "gvisor", "4.4.0", true
		f.without(unix.CAP_SYS_PTRACE)
		f.Sibling, f.Hidden = outcome(unix.EPERM), outcome(unix.EPERM)
		f.CallInfo, f.Listener, f.PidfdOpen, f.PidfdGetfd = outcome(unix.EIO), outcome(unix.EINVAL), outcome(unix.ENOSYS), Untried
	}},
	{"yama 1", func(f *Facts) {
		f.Yama, f.Sibling, f.Hidden = 1, outcome(unix.EPERM), outcome(unix.EPERM)
		f.without(unix.CAP_SYS_PTRACE)
	}},
	{"yama 2", func(f *Facts) { f.refusedAll(unix.EPERM); f.Yama = 2; f.without(unix.CAP_SYS_PTRACE) }},
	{"yama 3", func(f *Facts) { f.refusedAll(unix.EPERM); f.Yama = 3 }},
	{"selinux", func(f *Facts) {
		f.refusedAll(unix.EACCES)
		f.Label, f.DenyPtrace = "unconfined_u:unconfined_r:unconfined_t:s0", true
	}},
	{"apparmor", func(f *Facts) { f.refusedAll(unix.EACCES); f.Label = "docker-default (enforce)" }},
	{"a security module without a word", func(f *Facts) { f.refusedAll(unix.EPERM) }},
	{"traced already", func(f *Facts) { f.TracedBy = `process 7 ("strace")` }},
	{"user namespace", func(f *Facts) { f.UserNS = true }},
	{"unprivileged user", func(f *Facts) {
		f.UID, f.Caps, f.Filter, f.Hidden = 1000, 0, outcome(unix.EACCES), outcome(unix.EPERM)
	}},
	{"only CAP_SYS_PTRACE", func(f *Facts) { f.Caps, f.Filter = 1<<unix.CAP_SYS_PTRACE, outcome(unix.EACCES) }},
	{"no seccomp in the kernel", func(f *Facts) {
		f.Filter, f.FilterNNP, f.FilterStop, f.Listener = outcome(unix.EINVAL), outcome(unix.EINVAL), Untried, Untried
	}},
	{"seccomp refused", func(f *Facts) {
		f.Filter, f.FilterNNP, f.FilterStop, f.Listener = outcome(unix.EPERM), outcome(unix.EPERM), Untried, Untried
	}},
	{"filters stop nothing", func(f *Facts) { f.FilterStop = Silent }},
	{"somebody listens", func(f *Facts) { f.Listener = outcome(unix.EBUSY) }},
	// P9: before 4.8 a filter acts before the stop at the entry of a call.
	{"linux 4.4", func(f *Facts) { f.Kernel, f.EntryBefore = "4.4.302", true }},
	{"linux 4.14", func(f *Facts) {
		f.Kernel, f.CallInfo, f.Listener = "4.14.336-amd64", outcome(unix.EIO), outcome(unix.EINVAL)
		f.PidfdOpen, f.PidfdGetfd = outcome(unix.ENOSYS), Untried
	}},
	{"linux 4.9", func(f *Facts) { f.Kernel = "4.9.337" }},
	{"ptrace in part", func(f *Facts) { f.CallInfo = outcome(unix.EPERM) }},
	{"memory word by word", func(f *Facts) { f.ReadV, f.MemoryFile = outcome(unix.ENOSYS), outcome(unix.ENOENT) }},
	{"no memory", func(f *Facts) { f.ReadV, f.MemoryFile, f.Peek = outcome(unix.EPERM), outcome(unix.EACCES), Silent }},
	{"no pidfd_getfd", func(f *Facts) { f.PidfdGetfd = outcome(unix.ENOSYS) }},
	{"no /proc", func(f *Facts) { f.Proc = Proc{}; f.MemoryFile = outcome(unix.ENOENT) }},
	{"/proc of another namespace", func(f *Facts) { f.Foreign = true }},
	{"/proc of another namespace, privileged", func(f *Facts) { f.Foreign, f.Replace = true, true }},
	{"hidepid", func(f *Facts) { f.Hides = true }},
	{"no /dev/shm", func(f *Facts) {
		f.noRing("there is no directory /dev/shm", "mount a tmpfs there, or name another place with --ring PATH", unix.ENOENT)
	}},
	{"/dev/shm too small", func(f *Facts) {
		f.Ring.Total, f.Ring.Free = 1<<20, 1<<20
		f.noRing("/dev/shm is full: 8388608 bytes are needed", "make it larger, or name another place with --ring PATH", unix.ENOSPC)
	}},
	{"/dev/shm full", func(f *Facts) {
		f.Ring.Free = 4096
		f.noRing("/dev/shm is full: 8388608 bytes are needed", "make it larger, or name another place with --ring PATH", unix.ENOSPC)
	}},
	{"/dev/shm read-only", func(f *Facts) {
		f.noRing("cannot be created: /dev/shm is not writable", "name another place with --ring PATH", unix.EROFS)
	}},
	{"/dev/shm not writable", func(f *Facts) {
		f.UID = 1000
		f.noRing("cannot be created: /dev/shm is not writable", "name another place with --ring PATH", unix.EACCES)
	}},
	{"ring of another user", func(f *Facts) {
		f.noRing("permission denied: it belongs to user 0 and has mode 0600", "use another --ring", unix.EACCES)
	}},
	{"ring of another size", func(f *Facts) {
		f.noRing("4194304 bytes, want 8388608 (layout A)", "remove it while nobody uses it", shm.ErrObject)
	}},
	{"dead reader", func(f *Facts) {
		f.Ring.Exists, f.Ring.Size, f.Ring.Mode, f.Ring.Reader, f.Ring.Unseen = true, 8<<20, 0o600, 4711, true
	}},
	{"living reader", func(f *Facts) { f.Ring.Exists, f.Ring.Size, f.Ring.Mode, f.Ring.Reader = true, 8<<20, 0o600, 4711 }},
	{"few descriptors", func(f *Facts) {
		f.Limits[0].Have = 8
		f.PidfdGetfd, f.RingErr = outcome(unix.EMFILE), unix.EMFILE
		f.Launched = Launched{Status: 125, Words: "pdig: too many open files"}
	}},
	{"little address space", func(f *Facts) { f.Limits[1].Have = 100 << 20 }},
	{"little data", func(f *Facts) { f.Limits = []Limit{{limitData, 1 << 20, 50 << 20}} }},
	{"few processes", func(f *Facts) { f.Limits = []Limit{{limitPids, 3, 7}} }},
	{"little memory", func(f *Facts) { f.Limits = []Limit{{limitMemory, 16 << 20, 24 << 20}} }},
	{"built without -E", func(f *Facts) { f.OwnEntry = false }},
	{"nothing is recorded", func(f *Facts) { f.Launched = Launched{} }},
}

// TestJudge compares the judgements of facts, of which the checks that are well are
// left out, with testdata/causes.txt.
func TestJudge(t *testing.T) {
	var got strings.Builder
	seen := map[string]bool{}
	for _, row := range causes {
		f := healthy()
		row.make(f)
		r := Judge(f)
		fmt.Fprintf(&got, "## %s\nlaunch %v, attach %v\n", row.name, r.Launch, r.Attach)
		for _, c := range r.Checks {
			if c.State != OK {
				fmt.Fprintf(&got, "cause %s\n", c.Cause)
			} else if c.Cause != "" || c.Remedy != "" {
				t.Errorf("%s: %s is well and has cause %q, remedy %q", row.name, c.Name, c.Cause, c.Remedy)
			}
			seen[c.Cause] = true
			one := Report{Container: r.Container, Checks: []Check{c}}
			if c.State != OK {
				if err := one.WriteText(&got); err != nil {
					t.Fatal(err)
				}
				if c.Cause == "" || c.Remedy == "" || len(c.Evidence) == 0 {
					t.Errorf("%s: %s lacks its cause, evidence or remedy: %+v", row.name, c.Name, c)
				}
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d causes", len(seen))
	}
	golden(t, "testdata/causes.txt", got.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-%s +judged (go test -update writes it):\n%s", path, diff)
	}
}

// TestForms: the two forms of one report, and the keys of the JSON.
func TestForms(t *testing.T) {
	f := healthy()
	f.Container = "kubernetes"
	f.profiled()
	r := Judge(f)
	r.Pdig = "devel"
	var text, object strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&object); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.txt", text.String())
	golden(t, "testdata/report.json", object.String())

	var v struct{ Checks []map[string]any }
	if err := json.Unmarshal([]byte(object.String()), &v); err != nil {
		t.Fatal(err)
	}
	keys := []string{"cause", "evidence", "finding", "lines", "name", "remedy", "state"}
	for _, c := range v.Checks {
		var got []string
		for k, value := range c {
			got = append(got, k)
			if value == nil {
				t.Errorf("%v: %s is null", c["name"], k)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(keys, got); diff != "" {
			t.Errorf("%v (-want +got)\n%s", c["name"], diff)
		}
	}
}
