package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// withoutThreads is a kernel before Linux 6.9, whose pidfds are those of leaders.
var withoutThreads = rule(unix.SYS_PIDFD_OPEN, 1, unix.O_EXCL, unix.EINVAL)

// TestOwnDescriptors has threads use sockets and files that their leader does not have,
// or has something else of under the same numbers: each event is about those of the
// thread.
func TestOwnDescriptors(t *testing.T) {
	t.Parallel()
	refuse := fixture(t, "refuse")
	kernels := map[string]struct{ rules, how string }{
		"this kernel":             {},
		"no pidfd of threads":     {withoutThreads, "reduced"},
		"no kcmp":                 {rule(unix.SYS_KCMP, -1, 0, unix.EPERM), ""},
		"neither of them":         {rule(unix.SYS_KCMP, -1, 0, unix.ENOSYS) + "/" + withoutThreads, "reduced"},
		"no copies":               {refusals["no pidfd"], "reduced"},
		"neither copies nor kcmp": {refusals["no pidfd"] + "/" + rule(unix.SYS_KCMP, -1, 0, unix.EPERM), "reduced"},
	}
	for name, kernel := range kernels {
		how := kernel.how
		if how == "" && pidfdOfThread() != nil {
			how = "reduced"
		}
		for _, way := range []string{"unshare", "close_range", "clone", "leader", "ended"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				var front []string
				if kernel.rules != "" {
					front = []string{refuse, kernel.rules}
				}
				ownDescriptors(t, front, way, how)
			})
		}
	}
}

// pidfdOfThread tries to open a pidfd of a thread.
func pidfdOfThread() error {
	fd, err := unix.PidfdOpen(unix.Gettid(), unix.O_EXCL)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// ownDescriptors runs the program below what stands in front.
func ownDescriptors(t *testing.T, front []string, way, how string) {
	out := filepath.Join(t.TempDir(), "events")
	argv := append(front, sensorPath, "-A", "-o", out, "-p", "*%thread.tid|%evt.type|%evt.arg.tuple|%evt.arg.queuemax|%truth.object%truth.mismatch|%fd.name",
		"evt.dir=< and evt.type in (open,openat,bind,connect,accept,accept4,sendto,recvfrom,sendmsg,recvmsg) or evt.dir=> and evt.type=lseek",
		"--", fixture(t, "tables"), way, t.TempDir())
	if how != "" {
		argv = append(argv, how)
	}
	r := runCommand(t, argv...)
	if r.status.ExitStatus() == 77 {
		t.Skipf("this kernel has no such call: %s", r.stderr)
	}
	events, err := os.ReadFile(out)
	if r.status != 0 || err != nil {
		t.Fatalf("got %s, %v", r, err)
	}
	thread, said, _ := strings.Cut(r.stdout, "\n")
	_, tid, _ := strings.Cut(thread, " ")
	var got []string
	for line := range strings.Lines(string(events)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(f) != 6 || f[0] != tid {
			continue
		}
		object := strings.TrimSuffix(f[4], "<NA>") // no mismatch
		if f[1] == "lseek" {                       // which end of it has begun was not told
			ends := strings.Split(f[5], "->")
			slices.Sort(ends)
			object = strings.Join(ends, "->")
		}
		got = append(got, strings.Join([]string{f[1], f[2], f[3], object}, "|"))
	}
	want := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
	if len(want) < 15 {
		t.Fatalf("it says %q", r.stdout)
	}
	got = got[max(0, len(got)-len(want)):] // before it may have looked for its files
	if len(got) != len(want) {
		t.Fatalf("%d calls are made, %d are recorded:\n%s", len(want), len(got), events)
	}
	for i := range want {
		if !matches(want[i], got[i]) {
			t.Errorf("said %q\nthe event tells %q", want[i], got[i])
		}
	}
	if strings.Contains(r.stderr, "something else") {
		t.Errorf("there are mismatches: %s", r.stderr)
	}
}

// TestEndedLeader: what is read of the memory of a process whose leader has ended is
// that of the threads that it has left, however little was read before.
func TestEndedLeader(t *testing.T) {
	t.Parallel()
	prefix, dir := ring(t), t.TempDir()
	consumer := consumeAs(t, shm.ConsumerConfig{Config: shm.Config{Prefix: prefix}, Truth: true})
	cmd := exec.Command(pdigPath, "-e", "open,openat,mmap", "--ring", prefix, "--", fixture(t, "tables"), "ended", dir)
	var names []string
	sizes := 0
	var v event.View
	recordsOf(t, consumer, cmd, func(pid int, rec []byte) bool {
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if v.TID() == int64(pid) || syscalls.IsEnter(v.Type()) {
			return false
		}
		truth, _ := v.Truth()
		switch v.Name() {
		case "open", "openat":
			names = append(names, string(v.Str(param(&v, "name"))))
		case "mmap":
			size, _ := v.Uint(param(&v, "vm_size"))
			rss, _ := v.Uint(param(&v, "vm_rss"))
			if size == 0 || rss == 0 {
				t.Errorf("it has %d kB of memory, %d of them resident", size, rss)
			}
			sizes++
		}
		if truth.Mismatch != 0 {
			t.Errorf("%s has mismatch %q", v.Name(), truth.Mismatch)
		}
		return false
	}, nil)
	file := filepath.Join(dir, "file")
	if diff := cmp.Diff([]string{file, file, dir, "file"}, names); diff != "" || sizes == 0 {
		t.Errorf("%d calls of mmap, names: want (-), got (+):\n%s", sizes, diff)
	}
}
