package cmdline

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/tracer"
)

// withPdig puts a pdig into PATH that writes its arguments into a file and runs
// the command without tracing it. It returns the file.
func withPdig(t *testing.T) string {
	dir := t.TempDir()
	args := filepath.Join(dir, "args")
	script := `#!/bin/sh
echo "$*" >` + args + `
while [ "$1" != -- ]; do
	case $1 in
	fd:*) fds=${1#fd:}; ls -L /dev/fd/${fds%,*} /dev/fd/${fds#*,} >/dev/null || exit 125;;
	esac
	shift
done
shift
exec "$@"
`
	if err := os.WriteFile(filepath.Join(dir, "pdig"), []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return args
}

func TestCommandStatus(t *testing.T) {
	withPdig(t)
	const counters = "events: 0 delivered, 0 lost\n"
	for _, row := range []struct {
		command string
		status  int
		stdout  string
		stderr  string
	}{
		{"exit 0", 0, "", ""},
		{"exit 7", 7, "", ""},
		{"exit 125", 125, "", ""},
		{"kill -KILL $$", -int(unix.SIGKILL), "", ""},
		{"kill -SEGV $$", -int(unix.SIGSEGV), "", ""},
		{"cat; echo words >&2", 0, "input\n", "words\n"},
	} {
		status, stdout, stderr := runWith("--", "/bin/sh", "-c", row.command)
		if status != row.status || stdout != row.stdout || stderr != row.stderr+counters {
			t.Errorf("%s: got status %d, stdout %q, stderr %q, want %d, %q, %q", row.command, status, stdout, stderr,
				row.status, row.stdout, row.stderr+counters)
		}
	}
}

func TestPdigArguments(t *testing.T) {
	file := withPdig(t)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--", "true"}, `--ring fd:\d+,\d+ -- true`},
		{[]string{"-A", "--", "true", "file"}, `--ring fd:\d+,\d+ --events all -- true file`},
		{[]string{"evt.type=getppid or not evt.type!=read", "--", "true"}, `--ring fd:\d+,\d+ --events security,read,getppid -- true`},
		{[]string{"evt.type in (accept4, preadv) and not evt.type in (write, execve)", "--", "true"}, `--ring fd:\d+,\d+ --events security,preadv -- true`},
		{[]string{"evt.type!=write and not evt.type=read", "--", "true"}, `--ring fd:\d+,\d+ -- true`},
		{[]string{"--wait-all", "--", "true"}, `--ring fd:\d+,\d+ --wait-all -- true`},
		{[]string{"--adopt", "--args-limit", "65536", "--", "true"}, `--ring fd:\d+,\d+ --adopt --args-limit 65536 -- true`},
		{[]string{"-u", "--ring-size", "64K", "-s", "200", "--", "true", "-n", "--", "x"}, `--ring fd:\d+,\d+ --snaplen 200 -- true -n -- x`},
	} {
		if status, _, stderr := runWith(row.args...); status != 0 {
			t.Errorf("%q: got status %d, %q", row.args, status, stderr)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile("^" + row.want + "\n$").Match(got) {
			t.Errorf("%q: pdig got %q, want %q", row.args, got, row.want)
		}
	}
}

// TestArgsLimit: the sensor refuses what pdig would, in its own words.
func TestArgsLimit(t *testing.T) {
	if minArgsLimit != tracer.MinArgsLimit || maxArgsLimit != tracer.MaxArgsLimit {
		t.Errorf("%d to %d, and pdig takes %d to %d", minArgsLimit, maxArgsLimit, tracer.MinArgsLimit, tracer.MaxArgsLimit)
	}
	for _, bad := range []string{"63", "65537"} {
		if status, _, stderr := runWith("--args-limit", bad, "--", "true"); status != 2 || !strings.Contains(stderr, "--args-limit") {
			t.Errorf("%s: status %d, %q", bad, status, stderr)
		}
	}
}

func TestNoPdig(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	status, stdout, stderr := runWith("--", "true")
	if status != statusFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "pdig") {
		t.Errorf("got status %d, stdout %q, stderr %q, want %d and a line about pdig", status, stdout, stderr, statusFailed)
	}
}

// TestSignals wants what is meant for the command to reach it (P4).
func TestSignals(t *testing.T) {
	withPdig(t)
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2} {
		name := strings.TrimPrefix(unix.SignalName(sig), "SIG")
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			done := make(chan int, 1)
			go func() {
				// It ends by itself if the signal does not come.
				status := run([]string{"-q", "--", "/bin/sh", "-c",
					"trap 'echo " + name + "; exit 9' " + name + "; echo ready; i=0; while [ $i -lt 3000 ]; do sleep 0.02; i=$((i+1)); done"},
					strings.NewReader(""), w, io.Discard)
				w.Close()
				done <- status
			}()
			lines := bufio.NewScanner(r)
			var got []string
			for lines.Scan() {
				got = append(got, lines.Text())
				if lines.Text() == "ready" {
					if err := unix.Kill(os.Getpid(), sig); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := []string{"ready", name}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if status := <-done; status != 9 {
				t.Errorf("got status %d, want 9", status)
			}
		})
	}
}

// TestDescriptors wants nothing of a run to stay open.
func TestDescriptors(t *testing.T) {
	withPdig(t)
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	runWith("-q", "--", "true")
	before := count()
	runWith("-q", "--", "true")
	runWith("-q", "--", "/nonexistent")
	if after := count(); after != before {
		t.Errorf("%d descriptors are open, want %d", after, before)
	}
}
