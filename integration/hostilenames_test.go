package integration

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// odd is a name that would move the cursor, end the line and is no UTF-8.
const odd = "a\x1b[2J\r\t\x7f\u009b\u0085\u2028\xff\x9b\\né"

// oddCapture is a capture of a process whose name, arguments, files, user and sockets
// have an odd name.
func oddCapture(t *testing.T, odd string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "odd.scap")
	f, err := capture.Create(capture.FilesConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	f.Add(&capture.User{UID: 7, Name: odd, Home: odd, Shell: odd})
	f.Add(&capture.Group{GID: 7, Name: odd})
	f.Add(&capture.Process{
		TID: 100, PID: 100, PTID: 1, SID: 100, VPGID: 100, VTID: 100, VPID: 100, Comm: odd, Exe: odd, ExePath: "/" + odd, UID: 7, GID: 7,
		Args: odd + "\x00", Env: "A=" + odd + "\x00", Cgroups: "cpu=/" + odd + "\x00", Cwd: "/" + odd, Root: "/", FDLimit: 10,
	})
	f.Add(&capture.FD{TID: 100, Number: 3, Type: capture.FDFile, Name: "/" + odd})
	f.Add(&capture.FD{TID: 100, Number: 4, Type: capture.FDUnix, Name: "/" + odd})
	code := func(name string) uint16 { return syscalls.LookupName(name).Enter[0] }
	tuple := append(append([]byte{1}, make([]byte, 16)...), "/"+odd+"\x00"...)
	unix := append([]byte{1}, "/"+odd+"\x00"...)
	for i, rec := range [][]byte{
		testrecord.Make(t, 1, 100, code("chdir")),
		testrecord.Make(t, 2, 100, code("chdir")+1, -2, odd),
		testrecord.Make(t, 3, 100, code("open"), odd, 1, 0),
		testrecord.Make(t, 4, 100, code("open")+1, 5, odd, 1, 0),
		testrecord.Make(t, 5, 100, code("write"), 3, 10),
		testrecord.Make(t, 6, 100, code("write")+1, 10, []byte(odd)),
		testrecord.Make(t, 7, 100, code("read"), 5, 10),
		testrecord.Make(t, 8, 100, code("read")+1, 10, []byte(odd)),
		testrecord.Make(t, 9, 100, code("close"), 4),
		testrecord.Make(t, 10, 100, code("close")+1, 0),
		testrecord.Make(t, 11, 100, code("setpgid"), 100, 100),
		testrecord.Make(t, 12, 100, code("setuid"), 7),
		testrecord.Make(t, 13, 100, code("connect"), 4, unix),
		testrecord.Make(t, 14, 100, code("connect")+1, 0, tuple),
		testrecord.Make(t, 15, 100, code("read"), 4, 10),
	} {
		if err := errors.Join(f.Begin(uint64(i), rec), f.Event(0, false, rec)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHostileNames wants what sysdig prints of names with control characters, but for
// these being escaped, one line for an event, and the names themselves in JSON.
func TestHostileNames(t *testing.T) {
	file := oddCapture(t, odd)
	formats := [][]string{
		nil, {"-x"}, {"-A"},
		{"-p", "*%evt.num|%proc.name|%proc.exe|%proc.args|%proc.cmdline|%proc.cwd|%proc.env|%thread.cgroups"},
		{"-p", "*%evt.num|%user.name|%user.homedir|%user.shell|%group.name"},
		{"-p", "*%evt.num|%fd.name|%fd.directory|%fd.filename|%evt.abspath|%fdlist.names"},
		{"-p", "*%evt.num|%evt.args|%evt.info"},
		{"-p", "*%evt.num|%evt.arg.path|%evt.arg.name|%evt.arg.data|%evt.arg.pid|%evt.arg.uid|%evt.arg.addr|%evt.arg.fd"},
		{"-p", "*%evt.num|%evt.rawarg.path|%evt.rawarg.name"},
		{"-p", "*%evt.num|%evt.buffer"},
	}
	ours := map[string][]string{"-x": {"--data", "hex"}, "-A": {"--data", "ascii"}}
	t.Run("sysdig", func(t *testing.T) {
		for _, p := range peers(t) {
			for _, args := range formats {
				own := args
				if len(args) == 1 {
					own = ours[args[0]]
				}
				want := p.lines(t, p.command, file, args...)
				got := p.lines(t, []string{sensorPath}, file, append(append([]string{}, p.style...), own...)...)
				for i := range max(len(want), len(got)) {
					if i >= len(want) || i >= len(got) || string(event.AppendLine(nil, want[i])) != strings.ReplaceAll(got[i], "\t", `\t`) {
						t.Errorf("%s %q: line %d\n got %q\nwant %q", p.name, args, i, got[min(i, len(got)-1)], want[min(i, len(want)-1)])
					}
				}
			}
		}
	})
	file = oddCapture(t, odd+"\n")
	for _, args := range append(formats, []string{"--top"}) {
		if len(args) == 1 && args[0] != "--top" {
			continue
		}
		r := runCommand(t, append([]string{sensorPath, "-r", file}, args...)...)
		lines := strings.SplitAfter(r.stdout, "\n")
		if r.status != 0 || args != nil && args[0] != "--top" && len(lines) != 16 {
			t.Errorf("%q: status %#x, %d lines", args, r.status, len(lines)-1)
		}
		for _, line := range lines {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' }) {
				t.Errorf("%q: a control character in %q", args, line)
			}
		}
	}
	r := runCommand(t, sensorPath, "-r", file, "-j", "-p", "%proc.name %evt.arg.path", `proc.name endswith "\n" and evt.arg.path contains "\n"`)
	var object map[string]string
	if err := json.Unmarshal([]byte(r.stdout), &object); err != nil {
		t.Fatalf("%v: %s", err, r.stderr)
	}
	want := strings.ToValidUTF8(strings.ReplaceAll(odd, "\xff\x9b", "\ufffd\ufffd"), "") + "\n"
	if object["proc.name"] != want || object["evt.arg.path"] != want {
		t.Errorf("-j: got %q, want %q", object, want)
	}
	r = runCommand(t, sensorPath, "-r", "/no\nsuch\x1b[2J")
	if strings.Count(r.stderr, "\n") != 1 || strings.Contains(r.stderr, "\x1b") {
		t.Errorf("a file that is not there: %q", r.stderr)
	}
}
