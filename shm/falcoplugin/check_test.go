package falcoplugin

import (
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/syscalls"
)

// TestFit: a host gets what its tables have, and no event that lacks a parameter which it
// looks at unasked.
func TestFit(t *testing.T) {
	for line, want := range map[string]string{ // by the schemas, newest first
		"5 < syscall@1+ ID=67 ":                    "yyy",
		"5 < syscall@1+ ID=411":                    "yyy",
		"5 < syscall@1+ ID=412":                    "yyn",
		"5 < syscall@1+ ID=413":                    "ynn",
		"5 < syscall@1+ ID=443":                    "ynn",
		"5 < syscall@1+ ID=444":                    "nnn",
		"5 < syscall@1/1 ID=67":                    "nyy",
		"5 < syscall@1/0":                          "nnn",
		"5 < openat+ fd=3 dirfd=-100 name=/x":      "yyy",
		"5 < openat fd=3 dirfd=-100 name=/x":       "nyy",
		"5 < openat/0":                             "nnn",
		"5 < read res=1 data=x":                    "nyy",
		"5 < read/1 res=1":                         "nnn",
		"5 < memfd_create@405 fd=3 name=x flags=0": "yyn",
		"5 > procexit+ status=0 reaper_tid=6":      "yyy",
		"5 > procexit+ status=0 reaper_tid=5":      "nnn",
		"5 < close/0":                              "nnn",
	} {
		var e event.Encoder
		rec, err := testrecord.Line(&e, 1e18, line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got := ""
		for i := range schemas {
			if c := schemas[i].check(); c.fits(&v) {
				got += "y"
			} else {
				got += "n"
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	// Nothing that a host has always known is refused for a parameter that came later.
	for typ := range uint16(syscalls.CeilingA) {
		if _, n := event.Edition(typ); n < schemas[2].least(typ) {
			t.Errorf("event %d has %d parameters in the oldest tables, want no more of it: %d", typ, n, schemas[2].least(typ))
		}
	}
}
