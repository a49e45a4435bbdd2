package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/shm"
)

// TestWords is what pdig says about itself when it is asked to.
func TestWords(t *testing.T) {
	prefix := ring(t)
	consume(t, shm.Config{Prefix: prefix})
	log := filepath.Join(t.TempDir(), "log")
	run := func(options ...string) string {
		t.Helper()
		got := runCommand(t, append(append([]string{pdigPath, "--ring", prefix, "-e", "openat,close"}, options...), "true")...)
		if got.status != 0 || got.stdout != "" {
			t.Errorf("%q: got status %#x, %q", options, got.status, got.stdout)
		}
		return got.stderr
	}
	for _, options := range [][]string{nil, {"--log-level", "warn"}, {"--log-level", "info", "--log-file", log}} {
		if words := run(options...); words != "" && !strings.Contains(words, "no_new_privs") {
			t.Errorf("%q: said %q on the stderr of the command", options, words)
		}
	}
	words := strings.NewReplacer(prefix, "PREFIX").Replace(run("--log-level", "info"))
	words = regexp.MustCompile(`pid=\d+`).ReplaceAllString(words, "pid=N")
	want := `pdig: ring opened layout=A ring=PREFIX size=8388608
pdig: reader connected pid=N ring=PREFIX
pdig: filter installed, command started calls=2 pid=N
`
	if !strings.HasPrefix(words, want) { // what may follow depends on privileges
		t.Errorf("(-want +got)\n%s", cmp.Diff(want, words))
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if !json.Valid([]byte(line)) || !strings.Contains(line, `"message"`) {
			t.Errorf("in the file: %q", line)
		}
	}
	if n := strings.Count(string(b), "\n"); n < 3 {
		t.Errorf("in the file: %d lines, want as many as on stderr: %s", n, b)
	}
}

// TestWarning: a warning of the sensor is a line for people.
func TestWarning(t *testing.T) {
	prefix := ring(t)
	consume(t, shm.Config{Prefix: prefix})
	// The reader that is there seems to be one that has died.
	f, err := os.OpenFile(prefix+"_descs", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const offCapturing = 48 + 12 // layout A
	if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff, 0x3f}, offCapturing); err != nil {
		t.Fatal(err)
	}
	got := runCommand(t, sensorPath, "-u", "-M", "1", "--ring", prefix)
	want := "sensor: taken over from a dead consumer pid=1073741823 ring=" + prefix + "\nevents: 0 delivered, 0 lost\n"
	if got.status != 0 || got.stderr != want {
		t.Errorf("got status %#x, %q, want %q", got.status, got.stderr, want)
	}
}
