package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/shm"
)

// ownMasks is a command that runs one program after the other, each of which
// looks at a mask in its own way.
const ownMasks = `i=0
while [ $i -lt 40 ]; do
	grep Cpus_allowed_list /proc/self/status
	/bin/true
	nproc
	taskset -p $$ | sed 's/.*mask//'
	i=$((i+1))
done | sort | uniq -c`

// TestOwnMasks: neither a command nor one of its programs sees that it was put
// on a CPU, whether the tracer sees it look or not.
func TestOwnMasks(t *testing.T) {
	native := runCommand(t, "/bin/sh", "-c", ownMasks)
	for _, level := range []string{"exec", "security", "io", "all"} {
		got, _ := traceInto(t, "-e", level, "--", "/bin/sh", "-c", ownMasks)
		if diff := cmp.Diff(native.stdout, got); diff != "" {
			t.Errorf("%s (-native +traced)\n%s", level, diff)
		}
	}
}

// TestPlacement: a command that stops all the time shares a CPU with its
// tracer, and so does one that runs programs, each of which stops but a few
// times. When it waits the tracer may run anywhere again. When a thread is placed is
// in tracer's TestTurn too, for machines with one CPU.
func TestPlacement(t *testing.T) {
	for name, row := range map[string]struct{ calls, busy string }{
		"one thread": {"openat", ": </etc/passwd"},
		"children":   {"security", "/bin/true"},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := ring(t)
			consume(t, shm.Config{Prefix: prefix})
			enough := filepath.Join(t.TempDir(), "enough")
			cmd := exec.Command(pdigPath, "--ring", prefix, "-e", row.calls, "--", "/bin/sh", "-c",
				"while [ ! -e "+enough+" ]; do "+row.busy+"; done; exec sleep 60")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			await := func(one bool) {
				t.Helper()
				for range 1000 {
					tracer, _ := strconv.Atoi(statusField(cmd.Process.Pid, "TracerPid")) // the thread
					list := statusField(tracer, "Cpus_allowed_list")
					if _, err := strconv.Atoi(list); list != "" && (err == nil) == one {
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
				t.Fatalf("the tracer never got to be on one CPU (%v)", one)
			}
			await(true)
			if err := os.WriteFile(enough, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if runtime.NumCPU() > 1 {
				await(false)
			}
		})
	}
}
