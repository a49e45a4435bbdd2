package falcoplugin

import (
	"os"
	"path/filepath"
	"testing"
)

// TestConfig: what is no configuration is refused, and hosts tell of themselves by what
// they ask for.
func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "404",
		" {} ":                         "404",
		`{"schema":"418"}`:             "418",
		`{"schema":"newest"}`:          "newest",
		`{"schema":418}`:               "418",
		`{"schema":403}`:               "",
		`{"schema":4.04e2}`:            "",
		`{"schema":true}`:              "",
		`{"schema":["404"]}`:           "",
		`{"schema":"403"}`:             "",
		`{"schema":"auto"}{}`:          "",
		`{"schema":"auto"}]`:           "",
		`{"schema":"auto"} x`:          "",
		`{"scheme":"auto"}`:            "",
		`{"ring_mode":"0666"}`:         "",
		`{"wait":"-1s"}`:               "",
		`{"ring":"a","ring_dir":"/b"}`: "",
	} {
		c, err := parseConfig(text, false)
		if (err == nil) != (want != "") || err == nil && c.schema.name != want {
			t.Errorf("%s: schema %q: %v, want %q", text, c.schema.name, err, want)
		}
	}
	if c, err := parseConfig("", true); err != nil || c.schema.name != "newest" {
		t.Errorf("a modern host: schema %q: %v", c.schema.name, err)
	}
}

// TestOpenParams: a ring without a path is below /dev/shm, whatever is in the directory
// of the host.
func TestOpenParams(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("name", 0o777); err != nil {
		t.Fatal(err)
	}
	for params, want := range map[string]Config{
		"":                         {Dir: "/configured"},
		"name":                     {Ring: "name"},
		"./name":                   {Dir: "./name"},
		dir:                        {Dir: dir},
		" " + dir:                  {Dir: dir},
		filepath.Join(dir, "ring"): {Ring: filepath.Join(dir, "ring")},
		"/nowhere/":                {Dir: "/nowhere/"},
	} {
		if got := (Config{Dir: "/configured"}).at(params); got != want {
			t.Errorf("%q: got ring %q directory %q, want %q %q", params, got.Ring, got.Dir, want.Ring, want.Dir)
		}
	}
}
