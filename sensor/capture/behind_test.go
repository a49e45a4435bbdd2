package capture

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBehind runs after others that have left files.
func TestBehind(t *testing.T) {
	for name, row := range map[string]struct {
		files []string // the oldest first
		keep  int
		want  int
	}{
		"none":                     {nil, 0, 0},
		"some":                     {[]string{"f0", "f1", "f10", "f9"}, 0, 11},
		"of others":                {[]string{"f", "f07", "fx1", "f1x", "f-1", "g5", "f99999999999999999999"}, 0, 0},
		"kept":                     {[]string{"f0", "f1"}, 4, 2},
		"kept, the newest between": {[]string{"f2", "f3", "f0", "f1"}, 4, 2},
		"kept, the newest last":    {[]string{"f0", "f1", "f2", "f3"}, 4, 4}, // f0
		"a run that kept more":     {[]string{"f0", "f1", "f7"}, 4, 2},
	} {
		dir := t.TempDir()
		for i, file := range row.files {
			path, at := filepath.Join(dir, file), time.Unix(1700000000+int64(i), 0)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := behind(filepath.Join(dir, "f"), row.keep); got != row.want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", name, got, err, row.want)
		}
	}
}

// TestSecondRun leaves the files of the first as they are.
func TestSecondRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for run, want := range []string{"f0", "f1", "f0"} {
		f, err := Create(FilesConfig{Path: path, Size: 1 << 20, Keep: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got := filepath.Base(f.file.Name()); got != want {
			t.Errorf("run %d writes %s, want %s", run, got, want)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1700000000+int64(run), 0)
		if err := os.Chtimes(f.file.Name(), at, at); err != nil {
			t.Fatal(err)
		}
	}
}
