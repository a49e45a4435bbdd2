package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
)

// TestNoMarkWithoutRace has a program open files by all kinds of names, in the usual
// root and in one of its own with another /proc: none is marked, and each that was
// opened has an object.
func TestNoMarkWithoutRace(t *testing.T) {
	t.Parallel()
	noMark(t, nil)
}

// TestNoMarkWithoutCopies: nor is one where the ends of sockets come from /proc, in
// which the names of unix sockets look a little different.
func TestNoMarkWithoutCopies(t *testing.T) {
	t.Parallel()
	noMark(t, []string{fixture(t, "refuse"), refusals["no pidfd"]})
}

// noMark is that below what stands in front, where not all objects need be known.
func noMark(t *testing.T, front []string) {
	program := fixture(t, "plainopens")
	dir := t.TempDir()
	r := runCommand(t, append(front, sensorPath, "-p", "*%evt.type|%evt.arg.name%evt.arg.path|%evt.rawres|%truth.object|%truth.mismatch",
		"evt.dir=< and evt.type in (open,openat,openat2,creat,open_by_handle_at,execve,execveat,connect,bind)", "--", program, dir)...)
	if status := r.status.ExitStatus(); status == 77 {
		t.Log("no namespaces: not tried in another root")
	} else if status != 0 {
		t.Fatalf("status %d: %s", status, r.stderr)
	}
	objects := map[string]string{}
	calls := 0
	for line := range strings.Lines(r.stderr) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(f) != 5 {
			continue
		}
		calls++
		if f[4] != "<NA>" {
			t.Errorf("marked: %s", line)
		}
		if (f[3] == "<NA>") == !strings.HasPrefix(f[2], "-") && (front == nil || f[0] != "connect") {
			t.Errorf("result and object do not fit: %s", line)
		}
		name := strings.Replace(f[1], "<NA>", "", 1)
		if _, ok := objects[name]; !ok {
			objects[name] = f[3]
		}
		if f[0] == "open_by_handle_at" && f[3] != "<NA>" && name != f[3] {
			t.Errorf("the path of the descriptor is not that of the object: %s", line)
		}
	}
	if calls < 40 {
		t.Errorf("%d calls only:\n%s", calls, r.stderr)
	}
	for name, object := range map[string]string{
		"linkdir/f": "d/f", "link": "d/f", "linkdir/link": "d/link", "hard": "hard", "dangling": "made",
		"x (deleted)": "x (deleted)", "linkdir/created": "d/created",
	} {
		if got, want := objects[filepath.Join(dir, name)], filepath.Join(dir, object); got != want {
			t.Errorf("%s: object %q, want %q", name, got, want)
		}
	}
	if strings.Contains(r.stderr, "something else") {
		t.Errorf("the last line speaks of mismatches:\n%s", r.stderr)
	}
}

// TestLateHow: how openat2 is to resolve a path may be in memory only once the kernel
// looks at it. That is no mismatch either.
func TestLateHow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := runCommand(t, sensorPath, "-p", "*%evt.arg.name %truth.object %truth.mismatch", "evt.type = openat2 and evt.dir = <", "--", fixture(t, "late"), dir)
	switch r.status.ExitStatus() {
	case 0:
	case 77:
		t.Skip("no userfaultfd (CAP_SYS_PTRACE)")
	default:
		t.Fatalf("got %s", r)
	}
	got, _, _ := strings.Cut(r.stderr, "events:")
	want := fmt.Sprintf("/file %s/d/file <NA>\n%s/link %s/link <NA>\n", dir, dir, dir)
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHeldCalls has what a call is about change while the kernel holds the call. What it
// says is compared with what has become of it, and of what is harmless nothing is said (E1).
func TestHeldCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := runCommand(t, sensorPath, "-p", "*%evt.type %evt.arg.name%evt.arg.filename%evt.arg.addr|%truth.object|%truth.mismatch|%truth.argument|%evt.arg.flags",
		"evt.dir=< and evt.type in (open,openat,openat2,creat,execve,connect)", "--", fixture(t, "held"), dir)
	switch r.status.ExitStatus() {
	case 0:
	case 77:
		t.Skip("the file system has no leases (F_SETLEASE)")
	default:
		t.Fatalf("got %s", r)
	}
	got := map[string]string{}
	for line := range strings.Lines(r.stderr) {
		f := strings.SplitN(strings.NewReplacer("<NA>", "", dir+"/", "").Replace(line), "|", 5)
		if len(f) == 5 && !strings.Contains(f[4], "O_CREAT") { // which has made a file
			got[f[0]] = strings.Join(f[1:4], "|")
		}
	}
	rows := map[string]string{
		"openat quiet":             "quiet||",
		"openat bytes":             "bytes|argument|byte!",
		"openat long":              "long|argument|longer",
		"openat fails":             "|argument|fail!",
		"openat replaced":          "replaced.moved|object|",
		"openat moved":             "moved.moved|object|",
		"openat deleted":           "deleted (deleted)||",
		"openat gone":              "gone (deleted)||",
		"openat as if deleted":     "as if deleted (deleted)|object|",
		"openat linked":            "linked.moved||",
		"openat linked at the end": "linked at the end.moved|object|",
		"openat link":              "target|object|",
		"openat turning":           "center|object|",
		"openat d/at":              "d/at.moved|object|",
		"openat2 /in":              "d/in.moved|object|",
		"openat2 how":              "how|argument|",
		"creat created":            "created.moved|object|",
		"connect socket":           "socket|argument|!ocket",
		"execve program":           "program.moved|object|",
		"execve scripted":          "scripted.moved|object|",
		"execve garbage":           "|argument|garbag!",
	}
	if runtime.GOARCH == "arm64" {
		delete(rows, "creat created") // there is no such call
	}
	for call, want := range rows {
		if truth, ok := got[call]; !ok || truth != want {
			t.Errorf("%s: got %q, want %q", call, truth, want)
		}
	}
}

// TestTruthOfRaces follows the marks of a race to where a user sees them: the end
// line, JSON, a capture, which sysdig reads too, and the table of pdig -c.
func TestTruthOfRaces(t *testing.T) {
	t.Parallel()
	program := fixture(t, "racer")
	file := filepath.Join(t.TempDir(), "capture")
	var r result
	for n := 0; n < 50 && !strings.Contains(r.stderr, "something else"); n++ {
		r = runCommand(t, sensorPath, "-w", file, "-z", "--", program, "path", t.TempDir(), "2000")
	}
	if r.status != 0 || !strings.Contains(r.stderr, " did something else than they say (truth.mismatch)\n") {
		t.Fatalf("status %#x: %s", r.status, r.stderr)
	}
	read := runCommand(t, sensorPath, "-r", file, "-j", "truth.mismatch exists")
	marks := 0
	for line := range strings.Lines(read.stdout) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if object["truth.mismatch"] == "" || !strings.Contains(object["truth.object"].(string), "/file") {
			t.Errorf("an object without its truth: %s", line)
		}
		marks++
	}
	if _, last, _ := strings.Cut(r.stderr, "; "); !strings.HasPrefix(last, fmt.Sprint(marks)+" ") {
		t.Errorf("%d marks in the capture, but %s", marks, r.stderr)
	}
	again := file + "2"
	runCommand(t, sensorPath, "-r", file, "-w", again)
	if got := runCommand(t, sensorPath, "-r", again, "-j", "truth.mismatch exists"); got.stdout != read.stdout {
		t.Error("a capture that was written again has other marks")
	}
	sysdig := needSysdig(t)
	theirs := runCommand(t, sysdig, "-r", file)
	ours := runCommand(t, sensorPath, "-r", file)
	sameLines(t, "sysdig -r", strings.Split(theirs.stdout, "\n"), strings.Split(ours.stdout, "\n"))
}

// TestTruthNotAskedFor: a reader that does not want it has records without it.
func TestTruthNotAskedFor(t *testing.T) {
	t.Parallel()
	_, records := traceInto(t, "--", "/bin/cat", os.DevNull)
	opens := 0
	var v event.View
	for _, rec := range records {
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if v.Name() == "openat" {
			opens++
		}
		if len(v.Whole()) != v.Len() || len(rec) != v.Len() {
			t.Errorf("%s: %d bytes, the record has %d", v.Name(), len(rec), v.Len())
		}
	}
	if opens == 0 {
		t.Error("nothing was opened")
	}
}

// TestHiddenArguments: what is only for the kernel to read is missing in the event of
// a call that has succeeded, which is marked.
func TestHiddenArguments(t *testing.T) {
	t.Parallel()
	program := fixture(t, "secret")
	dir := t.TempDir()
	r := runCommand(t, sensorPath, "-A", "-p", "*%evt.type|%evt.arg.name%evt.arg.path|%truth.object|%truth.argument",
		"truth.mismatch = memory", "--", program, dir)
	if r.status.ExitStatus() == 77 {
		t.Skip("the kernel has no memfd_secret (Linux 5.14, CONFIG_SECRETMEM, before 6.5 also secretmem.enable)")
	}
	call, _, _ := strings.Cut(r.stderr, "|") // open or openat
	want := []string{
		call + "|" + dir + "/file<NA>|" + dir + "/file|<NA>",
		"mkdir|<NA><NA>|<NA>|<NA>",
		"sendto|<NA><NA>|<NA>|<NA>",
		"connect|<NA><NA>|127.0.0.1:9|<NA>",
		"connect|<NA><NA>|127.0.0.1:9|<NA>", // which is not answered yet
		"sendmsg|<NA><NA>|<NA>|<NA>",
		"sendmsg|<NA><NA>|<NA>|<NA>",
		"execve|<NA><NA>|" + program + "|/proc/self/exe",
	}
	if strings.Contains(r.stderr, "\nsocketcall|") { // amd64, with programs of i386
		want = slices.Insert(want, len(want)-1, "socketcall|<NA><NA>|<NA>|<NA>")
	}
	got := strings.Split(r.stderr, "\n")
	got = got[:min(len(want), len(got))]
	if diff := cmp.Diff(want, got); diff != "" || r.status != 0 || !strings.HasSuffix(r.stderr, fmt.Sprintf("; %d did something else than they say (truth.mismatch)\n", len(want))) {
		t.Errorf("status %#x, want (-), got (+):\n%s\n%s", r.status, diff, r.stderr)
	}
}
