package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/shm"
)

// diagnosis is what a program reads of pdig --doctor=json.
type diagnosis struct {
	Launch, Attach bool
	Checks         []struct {
		Name, State, Cause, Remedy string
		Evidence                   []string
	}
}

// examine runs pdig --doctor=json behind the words of a program that runs it, and
// returns the state and the cause of each check.
func examine(t *testing.T, front []string, options ...string) (d diagnosis, found map[string]string) {
	t.Helper()
	argv := slices.Concat(front, []string{pdigPath, "--doctor=json"}, options)
	return readDiagnosis(t, exec.Command(argv[0], argv[1:]...))
}

func readDiagnosis(t *testing.T, cmd *exec.Cmd) (d diagnosis, found map[string]string) {
	t.Helper()
	r := start(t, cmd).wait(t)
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil || r.stderr != "" {
		t.Fatalf("%v: %s", err, r)
	}
	want := 0
	if !d.Launch {
		want = 1
	}
	if r.status.ExitStatus() != want {
		t.Errorf("status %#x, launch is %v", r.status, d.Launch)
	}
	found = map[string]string{}
	for _, c := range d.Checks {
		found[c.Name] = c.State
		if c.State != "ok" {
			found[c.Name] += " " + c.Cause
		}
	}
	return d, found
}

// holds compares what was found with what has to be, of some checks.
func holds(t *testing.T, found, want map[string]string) {
	t.Helper()
	some := map[string]string{}
	for name := range want {
		some[name] = found[name]
	}
	if diff := cmp.Diff(want, some); diff != "" {
		t.Errorf("(-want +found)\n%s", diff)
	}
}

// TestDoctor: what is refused is found, and nothing else; and what the doctor says
// of commands is so.
func TestDoctor(t *testing.T) {
	t.Parallel()
	refuse := fixture(t, "refuse")
	prefix := ring(t)
	_, well := examine(t, nil, "--ring", prefix)
	for _, row := range []struct {
		rules  string
		launch bool
		want   map[string]string
	}{
		{"ptrace", false, map[string]string{"launch": "missing launch-fails", "ptrace": "missing seccomp-profile", "attach": "missing ptrace",
			"attach-others": "missing ptrace", "filter": "reduced ptrace", "call-info": "reduced ptrace", "memory": "missing ptrace", "sockets": well["sockets"]}},
		{"traced", false, map[string]string{"launch": "missing traced-already"}},
		{"seccomp", true, map[string]string{"filter": "reduced seccomp-refused", "listener": "reduced filter"}},
		{refusals["filters"], true, map[string]string{"filter": "reduced seccomp-refused", "listener": "reduced filter"}},
		{refusals["call info"], true, map[string]string{"call-info": "reduced no-call-info"}},
		{refusals["call info, EPERM"], true, map[string]string{"call-info": "reduced call-info-refused"}},
		{refusals["memory of others"], true, map[string]string{"memory": "reduced readv-refused"}},
		{refusals["no pidfd"], true, map[string]string{"sockets": "reduced pidfd-getfd-refused"}},
		{rule(unix.SYS_SECCOMP, 1, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, unix.EBUSY), true, map[string]string{"listener": "reduced listener-taken"}},
		{refusals["all of them"], true, map[string]string{"call-info": "reduced no-call-info", "memory": "reduced no-readv", "sockets": "reduced no-pidfd",
			"filter": "reduced no-seccomp", "listener": "reduced filter"}},
	} {
		t.Run(row.rules, func(t *testing.T) {
			t.Parallel()
			d, found := examine(t, []string{refuse, row.rules}, "--ring", prefix)
			want := map[string]string{}
			for name, state := range well {
				want[name] = state
			}
			for name, state := range row.want {
				want[name] = state
			}
			holds(t, found, want)
			got := runCommand(t, refuse, row.rules, pdigPath, "--ring", prefix, "true")
			if d.Launch != row.launch || (got.status == 0) != row.launch {
				t.Errorf("launch is %v, and a command got status %#x: %s", d.Launch, got.status, got.stderr)
			}
		})
	}
}

// TestDoctorRights: without capabilities, as another user, in a user namespace.
func TestDoctorRights(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := dirOf(t, nobody)
	program := copyProgram(t, pdigPath, filepath.Join(dir, "pdig"))
	none := []string{"setpriv", "--bounding-set", "-all", "--inh-caps", "-all"}
	other := []string{"--reuid", strconv.Itoa(nobody), "--regid", strconv.Itoa(nobody), "--clear-groups"}
	hidden := map[string]string{"attach-others": "reduced no-cap-sys-ptrace", "setuid": "reduced no-cap-sys-ptrace", "launch": "ok", "filter": "ok", "ptrace": "ok"}
	if procfs.Yama() == 0 {
		hidden["attach"] = "ok"
	} else {
		hidden["attach"] = "missing yama-ancestors"
	}
	for name, row := range map[string]struct {
		front []string
		want  map[string]string
	}{
		"root without capabilities": {none, hidden},
		"another user":              {slices.Concat(none[:1], other), hidden},
		"the least": {slices.Concat(none, other, []string{"--no-new-privs"}),
			map[string]string{"attach-others": "reduced no-cap-sys-ptrace", "setuid": "ok", "launch": "ok"}},
		"user namespace": {[]string{"unshare", "--user", "--map-root-user"},
			map[string]string{"attach-others": "reduced user-namespace", "launch": "ok", "setuid": "ok"}},
		"CAP_SYS_PTRACE alone": {[]string{"setpriv", "--bounding-set", "-all,+sys_ptrace", "--inh-caps", "-all"},
			map[string]string{"attach-others": "ok", "setuid": "reduced no-new-privs", "launch": "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if name == "root without capabilities" || name == "CAP_SYS_PTRACE alone" {
				place = ring(t) // root may not write into what is another's
			}
			argv := slices.Concat(row.front, []string{program, "--doctor=json", "--ring", place})
			_, found := readDiagnosis(t, exec.Command(argv[0], argv[1:]...))
			holds(t, found, row.want)
		})
	}
}

// TestDoctorPlaces: a /dev/shm that is too small, read-only or not there, and no
// /proc, or that of another namespace.
func TestDoctorPlaces(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, row := range map[string]struct {
		script string
		want   map[string]string
	}{
		"small":     {"mount -t tmpfs -o size=1m x /dev/shm", map[string]string{"ring": "missing shm-too-small", "reader": "reduced ring", "launch": "ok"}},
		"full":      {"mount -t tmpfs -o size=9m x /dev/shm; head -c 4m /dev/zero >/dev/shm/x", map[string]string{"ring": "missing shm-full"}},
		"enough":    {"mount -t tmpfs -o size=9m x /dev/shm", map[string]string{"ring": "ok", "reader": "ok"}},
		"read-only": {"mount -t tmpfs -o ro x /dev/shm", map[string]string{"ring": "missing shm-read-only"}},
		"no shm":    {"mount -t tmpfs x /dev", map[string]string{"ring": "missing shm-missing", "launch": "ok"}},
		"no proc":   {"mount -t tmpfs x /proc", map[string]string{"proc": "reduced no-proc", "memory": "reduced no-memory-file", "launch": "ok", "ring": "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, found := examine(t, []string{"unshare", "--mount", "sh", "-c", row.script + `; exec "$@"`, "sh"}, "--ring", "pdig-test-doctor")
			holds(t, found, row.want)
		})
	}
	t.Run("pid namespace without fork", func(t *testing.T) {
		got := runCommand(t, "unshare", "--pid", pdigPath, "--doctor")
		want := "pdig: the tracer is in a pid namespace of its own, in which there is no command to trace (does unshare lack --fork?)\n"
		if got.status.ExitStatus() != 125 || got.stderr != want || got.stdout != "" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("foreign proc", func(t *testing.T) {
		front := []string{"unshare", "--pid", "--fork"}
		_, found := examine(t, front, "--ring", ring(t))
		holds(t, found, map[string]string{"launch": "ok", "proc": "ok", "memory": "ok"})
		front = append(front, "setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
		_, found = examine(t, front, "--ring", ring(t))
		holds(t, found, map[string]string{"launch": "ok", "proc": "reduced proc-foreign"})
	})
}

// TestDoctorRing: who reads the ring, and what the doctor leaves of it.
func TestDoctorRing(t *testing.T) {
	t.Parallel()
	prefix := ring(t)
	_, found := examine(t, nil, "--ring", prefix)
	holds(t, found, map[string]string{"ring": "ok", "reader": "ok"})
	if left, err := os.ReadDir(filepath.Dir(prefix)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	reader := exec.Command(sensorPath, "-u", "-q", "--ring", prefix)
	p := start(t, reader)
	eventually(t, "the ring is read", func() bool {
		c, err := shm.Inspect(shm.Config{Prefix: prefix})
		return err == nil && c.Reader == p.pid()
	})
	_, found = examine(t, nil, "--ring", prefix)
	holds(t, found, map[string]string{"ring": "ok", "reader": "ok"})
	_ = reader.Process.Kill()
	p.wait(t)
	_, found = examine(t, nil, "--ring", prefix)
	holds(t, found, map[string]string{"ring": "ok", "reader": "reduced reader-dead"})
	if err := os.Truncate(prefix+"_buf", 4<<20); err != nil {
		t.Fatal(err)
	}
	_, found = examine(t, nil, "--ring", prefix)
	holds(t, found, map[string]string{"ring": "missing ring-unusable"})
}

// TestDoctorLimits: with fewer descriptors than a tracer needs.
func TestDoctorLimits(t *testing.T) {
	t.Parallel()
	_, found := examine(t, []string{"/bin/sh", "-c", `ulimit -n 8 && exec "$@"`, "sh"}, "--ring", ring(t))
	holds(t, found, map[string]string{"limits": "missing limit-nofile", "ring": "missing limits", "sockets": "reduced limits"})
}
