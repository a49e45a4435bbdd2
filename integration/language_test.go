package integration

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	newestSysdig = flag.String("newest.sysdig", "", "the `command` of a sysdig 0.41.4, with which captures are compared, too")
	moreCaptures = flag.String("captures", "", "a `pattern` of captures of which sysdig and the sensor have to print the same, too")
)

// peer is a version of sysdig that prints captures.
type peer struct {
	name    string
	command []string
	filter  []string // before a condition
	style   []string // of the sensor, for the same lines
	root    string   // a directory without names of users
}

// peers are the versions at hand.
func peers(t *testing.T) []peer {
	t.Helper()
	list := []peer{{name: "old", command: []string{needSysdig(t)}, filter: []string{"-d"}}}
	if *newestSysdig != "" {
		list = append(list, peer{name: "new", command: strings.Fields(*newestSysdig), style: []string{"--style", "newest"}, root: t.TempDir()})
	}
	return list
}

// lines are what a command prints of a capture, with newlines and tabs of values as
// such: sysdig does not escape them.
func (p *peer) lines(t *testing.T, command []string, file string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(command[0], slices.Concat(command[1:], []string{"-r", file}, args)...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	if p.root != "" {
		cmd.Env = append(cmd.Env, "HOST_ROOT="+p.root)
	}
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%q: %v: %s", cmd.Args, err, &words)
	}
	text := unescaped.Replace(string(out))
	if p.root != "" {
		text = strings.ReplaceAll(text, p.root, "") // it is in the names of pidfds
	}
	return strings.Split(text, "\n")
}

var unescaped = strings.NewReplacer(`\n`, "\n", `\t`, "\t")

// same compares what both print with other options, and returns how many lines that are.
func (p *peer) same(t *testing.T, file string, theirs, ours []string) int {
	t.Helper()
	want := p.lines(t, p.command, file, theirs...)
	got := p.lines(t, []string{sensorPath}, file, append(slices.Clone(p.style), ours...)...)
	bad := 0
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want) || i >= len(got):
			t.Errorf("%s: %s %q: sysdig prints %d lines, the sensor %d", p.name, filepath.Base(file), theirs, len(want)-1, len(got)-1)
			return len(want) - 1
		case want[i] != got[i] && !longPath.MatchString(got[i]):
			t.Errorf("%s: %s %q, line %d: %s", p.name, filepath.Base(file), theirs, i, lineDifference(want[i], got[i]))
			if bad++; bad == 3 {
				return len(want) - 1
			}
		}
	}
	return len(want) - 1
}

// sameAgain wants this version to print the same of a capture and of what the sensor makes
// of it.
func (p *peer) sameAgain(t *testing.T, file string) {
	t.Helper()
	again := file + ".again"
	if r := runCommand(t, sensorPath, "-r", file, "-w", again); r.status != 0 {
		t.Fatalf("sensor -r -w: status %#x: %s", r.status, r.stderr)
	}
	sameLines(t, p.name+": written again", p.lines(t, p.command, file), p.lines(t, p.command, again))
	if err := os.Remove(again); err != nil {
		t.Error(err)
	}
}

// found compares what both print of the events that a condition finds, all for none, with
// options that both have.
func (p *peer) found(t *testing.T, file, condition string, options ...string) int {
	t.Helper()
	if condition == "" {
		return p.same(t, file, options, options)
	}
	theirs := slices.Concat(p.filter, options, []string{condition})
	return p.same(t, file, theirs, append(slices.Clone(options), condition))
}

// views are options for the same, of sysdig and of the sensor.
var views = []struct{ sysdig, sensor []string }{
	{},
	{[]string{"-t", "h"}, []string{"-t", "h"}},
	{[]string{"-t", "r"}, []string{"-t", "r"}},
	{[]string{"-t", "d"}, []string{"-t", "d"}},
	{[]string{"-t", "D"}, []string{"-t", "D"}},
	{[]string{"-x"}, []string{"--data", "hex"}},
	{[]string{"-X"}, []string{"--data", "hex-ascii"}},
	{[]string{"-A"}, []string{"--data", "ascii"}},
	{[]string{"-b"}, []string{"--data", "base64"}},
	{[]string{"-n", "7"}, []string{"-n", "7"}},
	{[]string{"-j"}, []string{"-j"}},
}

// hides reports whether a capture begins with events that are not shown, as older ones do,
// or whether there may be some anywhere.
func (p *peer) hides(t *testing.T, file string) bool {
	t.Helper()
	return p.name == "new" || p.lines(t, p.command, file, "-n", "1")[0] == ""
}

// language compares a capture in all conditions and formats of the test data.
func (p *peer) language(t *testing.T, file string) {
	t.Helper()
	for _, view := range views {
		if len(view.sysdig) > 0 && view.sysdig[0] == "-n" && p.hides(t, file) {
			continue // it counts events that it does not show
		}
		p.same(t, file, view.sysdig, view.sensor)
	}
	known := leftOut{}
	found, conditions := 0, p.texts(t, "conditions.txt")
	for _, condition := range conditions {
		if p.found(t, file, p.narrowed(t, file, known, condition, condition)) > 0 {
			found++
		}
	}
	formats := p.texts(t, "formats.txt")
	for _, format := range formats {
		condition := p.narrowed(t, file, known, format, "")
		p.found(t, file, condition, "-p", format)
		if *allFresh {
			p.found(t, file, condition, "-j", "-p", format)
		}
	}
	t.Logf("%s: %s: %d conditions, of which %d find something, and %d formats", p.name, filepath.Base(file), len(conditions), found, len(formats))
}

// texts are the lines of a file of the test data that are for the peer.
func (p *peer) texts(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		tag, rest, tagged := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		switch {
		case strings.HasPrefix(line, "#"):
		case !tagged || tag != "old" && tag != "new":
			list = append(list, strings.TrimSuffix(line, "\n"))
		case tag == p.name:
			list = append(list, rest)
		}
	}
	return list
}

// TestLanguage has sysdig and the sensor print a capture in all conditions and formats
// of the test data: one of a command, and what else there is.
func TestLanguage(t *testing.T) {
	t.Parallel()
	versions := peers(t)
	own := filepath.Join(t.TempDir(), "own")
	r := runCommand(t, sensorPath, "-A", "-w", own, "--", "/bin/sh", "-c",
		"cd /usr && cat /etc/passwd /nosuch >/dev/null 2>&1; (ls | tail -1) >/dev/null; exit 0")
	if r.status != 0 {
		t.Fatalf("sensor -w -- command: status %#x: %s", r.status, r.stderr)
	}
	files := []string{own}
	if *moreCaptures != "" {
		more, err := filepath.Glob(*moreCaptures)
		if err != nil || len(more) == 0 {
			t.Fatalf("-captures: %v, %q", err, more)
		}
		files = append(files, more...)
	}
	for _, p := range versions {
		for _, file := range files {
			t.Run(p.name+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				p.language(t, file)
			})
		}
	}
}
