package cmdline

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
)

// A script of testdata/newest has a line for each event, see [testrecord.Line],
// and below it, after a tab, the line that is printed when it comes. The lines
// were measured with sysdig 0.41.4, HOST_ROOT being an empty directory; "go test
// -tags foreign" measures them again. The events are those of process pp, 100, in
// /srv and others; a line "@ OPTION" is an option that all are printed with.
type newestScript struct {
	path    string
	lines   []string
	options []string
}

func newestScripts(t *testing.T) []*newestScript {
	paths, err := filepath.Glob("testdata/newest/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var all []*newestScript
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &newestScript{path: path}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSuffix(line, "\n")
			if option, ok := strings.CutPrefix(line, "@ "); ok {
				s.options = append(s.options, option)
			}
			if !strings.HasPrefix(line, "\t") {
				s.lines = append(s.lines, line)
			}
		}
		all = append(all, s)
	}
	return all
}

func (s *newestScript) event(i int) bool {
	return s.lines[i] != "" && s.lines[i][0] != '#' && s.lines[i][0] != '@'
}

// capture writes the events, each at a time of its own: the number of its line
// in microseconds.
func (s *newestScript) capture(t *testing.T) string {
	c := newScript()
	c.process(100, "pp")
	c.process(101, "qq")
	c.descriptors(100)
	var e event.Encoder
	for i, line := range s.lines {
		if !s.event(i) {
			continue
		}
		rec, err := testrecord.Line(&e, begins+uint64(i+1)*1000, line)
		if err == nil {
			err = c.w.Event(0, false, rec)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", s.path, line, err)
		}
	}
	return c.file(t)
}

// with puts the lines that were printed below the events that they are of.
func (s *newestScript) with(printed string) string {
	at := map[string]string{}
	for line := range strings.Lines(printed) {
		num, rest, _ := strings.Cut(line, " ")
		when, rest, _ := strings.Cut(rest, " ")
		// sysdig 0.41.4 leaves the zeros out that stand behind the point.
		_, nanos, _ := strings.Cut(when, ".")
		at[strings.TrimLeft(nanos, "0")] += fmt.Sprintf("\t%s %s", num, rest)
	}
	var b strings.Builder
	for i, line := range s.lines {
		b.WriteString(line + "\n")
		if s.event(i) {
			b.WriteString(at[strconv.Itoa((i+1)*1000)])
		}
	}
	return b.String()
}

func (s *newestScript) args() []string { return append([]string{"-t", "a"}, s.options...) }

func TestNewestScripts(t *testing.T) {
	for _, s := range newestScripts(t) {
		t.Run(filepath.Base(s.path), func(t *testing.T) {
			want, err := os.ReadFile(s.path)
			if err != nil {
				t.Fatal(err)
			}
			got := s.with(newestLines(t, s.capture(t), s.args()...))
			if d := diff(got, string(want)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestNewestTable prints every event with every number of parameters.
func TestNewestTable(t *testing.T) {
	for _, c := range tableCases() {
		t.Run(c.name(), func(t *testing.T) {
			want, err := os.ReadFile(c.golden())
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(newestLines(t, tableScript(t, c.variant, c.enters), "-t", "r"), string(want)); d != "" {
				t.Error(d)
			}
		})
	}
}

type tableCase struct {
	variant int
	enters  bool
}

func tableCases() []tableCase { return []tableCase{{0, true}, {0, false}, {1, true}, {1, false}} }

func (c tableCase) name() string {
	if c.enters {
		return fmt.Sprintf("table%d-both", c.variant)
	}
	return fmt.Sprintf("table%d-exit", c.variant)
}

func (c tableCase) golden() string { return filepath.Join("testdata/newest", c.name()+".lines") }
