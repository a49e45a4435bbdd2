package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

func TestUsage(t *testing.T) {
	f := NewFlagSet("program")
	f.BoolP("quiet", "q", false, "say nothing")
	f.String("on-full", "drop", "`drop|block` what happens")
	f.String("list", "", "`[=CLASS]` all, or with [=CLASS] some")
	f.Int64P("count", "n", 0, "end after `N`")
	f.String("log-file", "", "log to `FILE`")
	f.Bool("pin", true, "stay")
	want := `
  -q, --quiet                say nothing
      --on-full drop|block   what happens (default drop)
      --list[=CLASS]         all, or with [=CLASS] some
  -n, --count N              end after N
      --log-file FILE        log to FILE
      --pin                  stay (default true)
`
	if diff := cmp.Diff(want, "\n"+Usage(f)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// What is printed is a copy.
	if err := Parse(f, []string{"-q"}); err != nil {
		t.Errorf("after the help: %v", err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, row := range []struct{ args, want string }{
		{"--nosuch", "unknown option: --nosuch"},
		{"-x", "unknown option: -x"},
		{"-qx", "unknown option: -x"},
		{"-n", "--count: a value is missing"},
		{"--count", "--count: a value is missing"},
		{"-n x", `--count: "x" is not a whole number`},
		{"-n 99999999999999999999", `--count: "99999999999999999999" is not a whole number`},
		{"--quiet=maybe", `--quiet: "maybe" is not true or false`},
		{"---", "bad flag syntax: ---"},
	} {
		f := NewFlagSet("program")
		f.BoolP("quiet", "q", false, "")
		f.Int64P("count", "n", 0, "")
		err := Parse(f, strings.Fields(row.args))
		if want := row.want + " (see program --help)"; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", row.args, err, want)
		}
	}
}

func TestLog(t *testing.T) {
	var stderr bytes.Buffer
	log, done, err := Logger("pdig", zerolog.InfoLevel, &stderr, "")
	if err != nil {
		t.Fatal(err)
	}
	log.Debug().Msg("not wanted")
	log.Warn().Str("ring", "/dev/shm/udig").Int("pid", 7).Str("odd", "\x1b[2J").Err(errors.New("no luck")).Msg("taken over")
	if err := done(); err != nil {
		t.Error(err)
	}
	want := `pdig: taken over error="no luck" odd="\x1b[2J" pid=7 ring=/dev/shm/udig` + "\n"
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var stderr bytes.Buffer
	log, done, err := Logger("pdig", zerolog.InfoLevel, &stderr, path)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Int("pid", 7).Msg("reader connected")
	if err := done(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Level, Message, Time string
		PID                  int
	}
	if err := json.Unmarshal(b, &line); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	if line.Level != "info" || line.Message != "reader connected" || line.PID != 7 || line.Time == "" || stderr.Len() > 0 {
		t.Errorf("got %q, stderr %q", b, &stderr)
	}
	if _, _, err := Logger("pdig", zerolog.InfoLevel, &stderr, "/nowhere/log"); err == nil || !strings.HasPrefix(err.Error(), "--log-file: ") {
		t.Errorf("got %v, want an error of --log-file", err)
	}
}

func TestLevel(t *testing.T) {
	if l, err := Level("warn"); l != zerolog.WarnLevel || err != nil {
		t.Errorf("got %v, %v", l, err)
	}
	if _, err := Level("loud"); err == nil || err.Error() != `--log-level: "loud" is not debug, info, warn or error` {
		t.Errorf("got %v", err)
	}
}
