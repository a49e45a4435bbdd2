package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// good is a set of tables that fits.
func good() map[string]string {
	return map[string]string{
		"versions.txt":  "old 2\n",
		"flags.txt":     "names ONE 0x1\n",
		"dyn.txt":       "kinds 0 NUMBER UINT64 dec\n",
		"translate.txt": "bits bits 0x1 0x2\n",
		"events.txt": "0 > A_E a file - - ; fd FD dec a0\n" +
			"1 < A_X a file uses_fd - ; res ERRNO dec ret ; f FLAGS32:names hex a1|bits ; v DYN:kinds dec @value(a2)\n",
		"ppm_sc.txt": "0 unknown\n",
		"newest.txt": "0 1 keep\n",
		"calls.txt":  "a 0 - 1 - 0 all file 0\n",
	}
}

func tablesOf(files map[string]string) (*tables, error) {
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return readTables(dir)
}

func TestReadTables(t *testing.T) {
	files := good()
	files["newest.txt"] += "1 2 fill e0?\n"
	got, err := tablesOf(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.events) != 2 || len(got.calls) != 1 || len(got.funcs) != 1 {
		t.Errorf("%d events, %d calls, %d functions, want 2, 1, 1", len(got.events), len(got.calls), len(got.funcs))
	}
	if c := got.conversions; len(c) != 2 || c[1].what != "Fill" || len(c[1].values) != 3 || c[1].values[2] != "{OfEnterOrNothing, 0}" {
		t.Errorf("conversions are %+v", c)
	}
	if src := got.events[1].params[1].src; src.op != "OpArg" || src.a != 1 || src.trans != "bits" {
		t.Errorf("a1|bits is %+v", src)
	}
}

// What does not fit is an error that says where.
func TestReadTablesErrors(t *testing.T) {
	for _, tt := range []struct{ file, text, want string }{
		{"events.txt", "1 > A_E a file - -\n", "events.txt:1: code 1, want 0"},
		{"events.txt", "0 < A_E a file - -\n", "events.txt:1: direction"},
		{"events.txt", "0 > A_E a file - - ; fd NOSUCH dec a0\n", `unknown type "NOSUCH"`},
		{"events.txt", "0 > A_E a file - - ; fd FD dec a9\n", `unknown source "a9"`},
		{"events.txt", "0 > A_E a file - - ; fd FD dec a0|nosuch\n", `no translation "nosuch"`},
		{"events.txt", "0 > A_E a file - - ; fd FD dec a0 >=1.2.3\n", `unknown version ">=1.2.3"`},
		{"events.txt", "0 > A_E a file - - ; fd FD dec\n", "3 fields, want at least 4"},
		{"events.txt", "0 > A_E a file - - ; f FLAGS32:nosuch dec a0\n1 < A_X a file - -\n", `no flag table "nosuch"`},
		{"versions.txt", "old 3\n", "2 events, versions.txt says 3"},
		{"newest.txt", "0 1 5\n", "newest.txt:1: code 0 cannot become 5"},
		{"newest.txt", "1 1 fill e1\n", `newest.txt:1: no parameter for the value "e1"`},
		{"newest.txt", "0 0 fill e0\n", `newest.txt:1: unknown value "e0"`},
		{"newest.txt", "0 1 fill - -\n", "newest.txt:1: 3 values, code 0 has 1 parameters"},
		{"newest.txt", "0 1 nosuch\n", "newest.txt:1: strconv"},
		{"calls.txt", "a 0 - 1 - 0 all file 2\n", "no enter event 2"},
		{"calls.txt", "a 0 - 1 - 0 all\n", "calls.txt:1: 7 fields"},
		{"translate.txt", "bits nosuch 1 1\n", `unknown kind "nosuch"`},
		{"dyn.txt", "kinds 1 NUMBER UINT64 dec\n", "selector 1, want 0"},
	} {
		files := maps.Clone(good())
		files[tt.file] = tt.text
		if tt.file != "events.txt" {
			files["events.txt"] = good()["events.txt"]
		}
		_, err := tablesOf(files)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %q: error %v, want %q", tt.file, tt.text, err, tt.want)
		}
	}
}

// The files in the repository are what the tables give.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	dir := t.TempDir()
	doc := filepath.Join(dir, "syscalls.md")
	if err := run("../table", dir, doc); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"zevents.go": "../zevents.go", "zflags.go": "../zflags.go", "zcalls.go": "../zcalls.go", "syscalls.md": "../../docs/syscalls.md",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(want)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(have) {
			t.Errorf("%s is not what the tables give: run make generate", want)
		}
	}
}
