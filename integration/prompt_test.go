package integration

import (
	"flag"
	"fmt"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

var promptChildren = flag.Int("prompt.children", 100, "children whose ends are timed")

// TestPromptEnds: who waits for a child by a pidfd, and then collects it without
// waiting, is not kept from that for much longer by pdig than by strace, though others
// make calls all the time (K3).
func TestPromptEnds(t *testing.T) {
	program := fixture(t, "prompt")
	strace := needProgram(t, "strace")
	if r := runCommand(t, program, "1", "0"); r.status.ExitStatus() == 77 {
		t.Skip("needs pidfd_open (Linux 5.3)")
	}
	prefix := ring(t)
	ways := map[string][]string{
		"natively":     {program},
		"below strace": {strace, "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=openat,%process", program},
		"below pdig":   {pdigPath, "--ring", prefix, "-e", "exec,openat", "--", program},
	}
	best := map[string]time.Duration{}
	const rounds = 4
	for i := range rounds {
		for how, argv := range ways {
			r := start(t, exec.Command(argv[0], append(argv[1:], strconv.Itoa(*promptChildren), "2")...)).wait(t)
			var wrong int
			var median, longest time.Duration
			if _, err := fmt.Sscanf(r.stdout, "wrong %d, median %d, longest %d\n", &wrong, &median, &longest); err != nil || r.status != 0 || wrong != 0 {
				t.Fatalf("%s: %v, got %s", how, err, r)
			}
			if i == 0 || median < best[how] {
				best[how] = median
			}
		}
		if best["below pdig"] <= 2*best["below strace"] {
			break
		}
	}
	t.Logf("medians from the last call of a child to its collection: %v", best)
	// On a machine that is busy with other things the median of a round is easily twice another.
	if limit := 3*best["below strace"] + time.Millisecond; best["below pdig"] > limit {
		t.Errorf("a child can be collected after %v, want at most %v: %v", best["below pdig"], limit, best)
	}
}
