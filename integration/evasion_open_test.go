package integration

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestManyMessages: no message is hidden behind others of the same call (E10).
func TestManyMessages(t *testing.T) {
	t.Parallel()
	said, lines := sensed(t, t.TempDir(), "*%evt.type %fd.num %evt.arg.tuple", "evt.type in (sendmmsg, recvmmsg) and evt.dir = <", fixture(t, "many"))
	var sent, got int
	if _, err := fmt.Sscan(said, &sent, &got); err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	for i, line := range lines {
		switch {
		case i < sent && !strings.HasPrefix(line, "sendmmsg "), i < sent && !strings.HasSuffix(line, fmt.Sprintf("->127.0.0.1:%d", 20000+i)),
			i >= sent && !strings.HasPrefix(line, "recvmmsg "):
			t.Fatalf("message %d: %s", i, line)
		}
	}
	if len(lines) != sent+got {
		t.Errorf("%d messages, want %d that were sent and %d that have come", len(lines), sent, got)
	}
}

// TestOpenedFile: whatever a file is called when it is opened (E3), and whoever
// changes that meanwhile (E1), device and inode in the event are those of the file.
func TestOpenedFile(t *testing.T) {
	t.Parallel()
	const rounds = 1000
	program := fixture(t, "opens")
	for _, every := range []bool{false, true} {
		w := readWay(t)
		w.every = every
		argv := w.command(program, fmt.Sprint(rounds))
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = t.TempDir()
		r := start(t, cmd).wait(t)
		if r.status != 0 || r.stderr != "" {
			t.Fatalf("got %s", r)
		}
		w.reader.everybody(t)
		var got []string
		for _, r := range w.reader.done(t) {
			if r.exit && slices.Contains([]string{"open", "openat", "openat2", "creat"}, r.call) {
				got = append(got, fmt.Sprintf("%d %d", r.number("dev"), r.number("ino")))
			}
		}
		want := strings.Split(strings.TrimSpace(r.stdout), "\n")
		if !slices.Equal(got, want) {
			t.Errorf("every %v: %d opens, want %d", every, len(got), len(want))
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("open %d: got device and inode %s, want %s", i, got[i], want[i])
					break
				}
			}
		}
		if last := want[len(want)-rounds:]; len(slices.Compact(slices.Sorted(slices.Values(last)))) != 2 {
			t.Errorf("every %v: the name was always of the same file", every)
		}
	}
}
