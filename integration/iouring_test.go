package integration

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const ringCalls = "io_uring_setup,io_uring_enter,io_uring_register"

// TestIOUring: rings are reported, or the kernel has none (E4): by a filter or
// without, by every ABI, whether somebody wants to know or not.
func TestIOUring(t *testing.T) {
	t.Parallel()
	program := fixture(t, "iouring")
	natively := start(t, exec.Command(program)).wait(t).String()
	const denied = "io_uring_setup: 38\nio_uring_enter: 38\nio_uring_register: 38\nby int 0x80: 38\nstatus 0x0\n"
	for _, c := range []struct {
		name, want string
		options    []string
		results    bool
	}{
		{"report", natively, []string{"-e", ringCalls}, false},
		{"deny", denied, []string{"-e", ringCalls, "--io-uring", "deny"}, true},
		{"unseen", denied, []string{"-e", "openat", "--io-uring", "deny"}, false},
		{"stops", denied, []string{"-e", "openat", "--io-uring", "deny", "--seccomp", "never"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := readWay(t)
			argv := append([]string{pdigPath, "--ring", w.prefix}, c.options...)
			if got := start(t, exec.Command(argv[0], append(argv, "--", program)[1:]...)).wait(t).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			records := w.reader.done(t)
			for _, call := range strings.Split(ringCalls, ",") {
				found, want := results(records, call), 0
				if strings.Contains(c.options[1], call) {
					want = 1
				}
				if call == "io_uring_setup" && runtime.GOARCH == "amd64" {
					want *= 2 // by int 0x80 too
				}
				if len(found) != want {
					t.Errorf("%d calls of %s were recorded, want %d", len(found), call, want)
				}
				for _, r := range found {
					if c.results && r != -int64(unix.ENOSYS) {
						t.Errorf("%s: result %d", call, r)
					}
				}
			}
		})
	}
}
