package integration

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// TestStartOfNamespace: all in a pid namespace have the start of its first process,
// those too that have come from outside, and it is not that of our own.
func TestStartOfNamespace(t *testing.T) {
	needProgram(t, "unshare")
	needProgram(t, "nsenter")
	if r := runCommand(t, "unshare", "--pid", "--fork", "true"); r.status != 0 {
		t.Skipf("no pid namespace to be had (CAP_SYS_ADMIN): %s", r.stderr)
	}
	const script = `
unshare --pid --fork sleep 1000 2>/dev/null &
until first=$(echo $(cat /proc/$!/task/$!/children)) && [ -n "$first" ] && [ "$(cat /proc/$first/comm)" = sleep ]; do sleep 0.01; done
nsenter --pid=/proc/$first/ns/pid sh -c 'true; env -i true & wait'
nsenter --pid=/proc/$first/ns/pid sh -c 'true; env -i true & wait'
kill -9 $first`
	_, records := traceInto(t, "--", "sh", "-c", script)
	outside, inside, entered := map[string]bool{}, map[string]bool{}, 0
	for i, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		start := paramValue(&v, "pidns_init_start_ts")
		if start == "" || paramValue(&v, "res") != "0" {
			continue
		}
		switch paramValue(&v, "vpid") {
		case paramValue(&v, "pid"):
			outside[start] = true
		case "1":
			inside[start] = true
		default:
			inside[start] = true
			entered++
		}
	}
	delete(outside, "0")
	if !tellsFirst(t) {
		delete(inside, "0") // of who has come from outside it is not known
	}
	if len(inside) != 1 || inside["0"] || entered < 4 || len(outside) != 1 {
		t.Fatalf("starts of the namespace %v, of our own %v, %d processes have entered", inside, outside, entered)
	}
	for start := range inside {
		if outside[start] {
			t.Errorf("the namespace is said to start with our own, at %s", strings.TrimSpace(start))
		}
	}
}

// tellsFirst reports whether the kernel tells of the first process of a pid namespace
// (NS_GET_TGID_FROM_PIDNS, Linux 6.11).
func tellsFirst(t *testing.T) bool {
	t.Helper()
	f, err := os.Open("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const getFromPIDNS = 0x8004b707
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), getFromPIDNS, 1)
	return errno == 0
}
