package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReceived has a process get descriptors from another one, use them and end. A
// sensor that reads of it when it has long been gone knows what they were.
func TestReceived(t *testing.T) {
	t.Parallel()
	for name, front := range map[string][]string{
		"copies":    nil,
		"no copies": {fixture(t, "refuse"), refusals["no pidfd"]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			received(t, front, map[string]string{"copies": "all", "no copies": "refused"}[name])
		})
	}
}

func received(t *testing.T, front []string, how string) {
	needProgram(t, "/usr/bin/python3")
	script, err := filepath.Abs("testdata/received.py")
	if err != nil {
		t.Fatal(err)
	}
	format, probes := "*%evt.arg.offset|%fd.typechar|%fd.name|%fd.l4proto", "evt.type=lseek and evt.dir=>"
	command := func() []string { return []string{"--", "/usr/bin/python3", "-B", script, t.TempDir(), how} }

	out := filepath.Join(t.TempDir(), "events")
	r := runCommand(t, slices.Concat(front, []string{sensorPath, "-A", "-o", out, "-p", format, probes}, command())...)
	if r.status != 0 {
		t.Fatalf("got %s", r)
	}
	events, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	compareReceived(t, r.stdout, string(events))

	// Written and read back: the processes are gone then, so that /proc cannot tell. A
	// file as sysdig reads it has no event of pidfd_getfd.
	capture := filepath.Join(t.TempDir(), "capture")
	r = runCommand(t, slices.Concat(front, []string{sensorPath, "-A", "-w", capture, "-o", os.DevNull}, command())...)
	if r.status != 0 {
		t.Fatalf("got %s", r)
	}
	read := runCommand(t, sensorPath, "-r", capture, "-p", format, probes)
	if read.status != 0 {
		t.Fatalf("got %s", read)
	}
	said, _, _ := strings.Cut(r.stdout, "8|")
	compareReceived(t, said, read.stdout)
}

// compareReceived looks for each line that a program has said among the events.
func compareReceived(t *testing.T, said, events string) {
	t.Helper()
	n := 0
	for line := range strings.Lines(said) {
		if n++; !strings.Contains(events, "\n"+line) {
			t.Errorf("sent %q, got\n%s", line, events[max(0, len(events)-1000):])
		}
	}
	if n < 8 {
		t.Errorf("%d were sent", n)
	}
}
