package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// endpointFormat are the fields that testdata/endpoints.py tells of, behind the
// type, the number of the probe, the tuple and the length of an accept queue.
const endpointFormat = "*%evt.type|%evt.arg.offset|%evt.arg.tuple|%evt.arg.queuemax|%fd.typechar|%fd.l4proto|%fd.cip|%fd.cport|%fd.sip|%fd.sport|%fd.is_server|%fd.name"

// TestEndpoints compares the tuples of the records, and what the sensor makes of
// them, with what a program asks getsockname and getpeername.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	endpoints(t, nil)
}

// TestEndpointsWithoutCopies: where sockets may not be copied the same is told,
// from /proc and the arguments.
func TestEndpointsWithoutCopies(t *testing.T) {
	t.Parallel()
	endpoints(t, []string{fixture(t, "refuse"), refusals["no pidfd"]}, "refused")
}

// endpoints runs the program below what stands in front.
func endpoints(t *testing.T, front []string, how ...string) {
	needProgram(t, "/usr/bin/python3")
	script, err := filepath.Abs("testdata/endpoints.py")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "events")
	argv := append(front, sensorPath, "-A", "-o", out, "-p", endpointFormat,
		"evt.type=lseek and evt.dir=> or evt.arg.tuple exists and evt.dir=<", "--", "/usr/bin/python3", "-B", script, t.TempDir())
	argv = append(argv, how...)
	r := runCommand(t, argv...)
	if r.status != 0 {
		t.Fatalf("got %s", r)
	}
	events, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := probes(string(events))
	n := 0
	for line := range strings.Lines(r.stdout) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "end ") {
			continue
		}
		n++
		number, want, _ := strings.Cut(line, "|")
		if !matches(want, got[number]) {
			t.Errorf("%s: said %q\nevents tell %q", number, want, got[number])
		}
	}
	if !strings.HasSuffix(r.stdout, "end "+strconv.Itoa(n)+"\n") || n < 100 {
		t.Errorf("%d probes: %q", n, r.stdout[max(0, len(r.stdout)-50):])
	}
}

// probes are the fields at each probe by its number, with the tuple of the event
// that came before it, and how many may wait where it has accepted from.
func probes(events string) map[string]string {
	all := map[string]string{}
	tuple := ""
	for line := range strings.Lines(events) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", 5)
		switch {
		case len(f) < 5:
		case f[0] == "lseek":
			all[f[1]] = tuple + "|" + f[4]
		case f[3] != "<NA>":
			tuple = f[2] + " of " + f[3]
		default:
			tuple = f[2]
		}
	}
	return all
}

// matches compares fields with what was said of them: # is any hexadecimal
// number, * anything, and an empty tuple is not compared.
func matches(want, got string) bool {
	if want != "" && want[0] == '|' {
		want = "*" + want
	}
	pattern := strings.NewReplacer("#", "[0-9a-f]+", `\*`, ".*").Replace(regexp.QuoteMeta(want))
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}
