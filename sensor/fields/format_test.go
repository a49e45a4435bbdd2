package fields

import (
	"errors"
	"strings"
	"testing"

	"github.com/pdig/pdig/sensor/filter"
)

// TestFormatTransformers wants what transformers make in formats, without allocations, and
// in objects the fields that they look at.
func TestFormatTransformers(t *testing.T) {
	e, play := player(t)
	play(rec(t, now, openatX, 3, -100, "/srv/a\tb", 2, 0, 0, 0))
	for format, want := range map[string]string{
		"%toupper(evt.type)|%evt.type":                        "OPENAT|openat",
		"%toupper(basename(evt.arg.name))|":                   `AB|`,
		"[%9tolower( evt.type )] [%3toupper(evt.type)]":       "[openat   ] [OPE]",
		"%len(evt.arg.name)%concat(evt.type, \"-\", evt.dir)": "7openat-<",
		`%concat(evt.type, "\t")`:                             `openat\t`,
		"*%toupper(container.image) %len(evt.type)":           "<NA> 6",
		"%toupper(container.image) %len(evt.type)":            "",
		"*%b64(fd.name)":                                      "<NA>",
	} {
		f, err := NewFormat(format, NewSet(e))
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		got, _ := f.Append(nil)
		if string(got) != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
		if n := testing.AllocsPerRun(100, func() { got, _ = f.Append(got[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations", format, n)
		}
	}
	f, err := NewFormat("%toupper(evt.arg[2]) %evt.type %basename(evt.type)", NewSet(e))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, c := range f.Columns() {
		keys = append(keys, c.Key)
	}
	if got := strings.Join(keys, " "); got != "evt.arg[2] evt.type" {
		t.Errorf("keys are %s", got)
	}
	for format, place := range map[string]int{
		"ab %tolower(proc.nam)":    12,
		"ab %tolower(fd.num)":      4,
		"ab %tolower(proc.aname)":  4,
		"ab %tolower(proc.name ":   22,
		"ab %5tolower()":           13,
		"ab %tolowe(proc.name)":    3,
		"ab %getopt(proc.name)[a]": 4,
	} {
		_, err := NewFormat(format, NewSet(e))
		var refused *filter.Error
		if !errors.As(err, &refused) || refused.Pos.Offset != place {
			t.Errorf("%s: %v, want an error at %d", format, err, place)
		}
	}
}
