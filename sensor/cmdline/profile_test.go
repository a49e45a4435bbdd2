//go:build profile

package cmdline

import (
	"flag"
	"io"
	"os"
	"testing"
)

var profiled = flag.String("profiled", "", "the capture `FILE` that TestProfiled reads")

// TestProfiled reads a capture in the ways that people do: what default.pgo is made of,
// see make profile.
func TestProfiled(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, args := range [][]string{
		{}, {"-j"}, {"-q"}, {"-w", os.DevNull},
		{"-q", "evt.type=openat and fd.name contains /etc"},
		{"-q", "proc.name=ls or fd.name startswith /etc or evt.arg.flags contains O_CREAT"},
		{"-p", "%evt.num %evt.time %proc.name %proc.aname[1] %fd.name %evt.args"},
	} {
		if status := run(append([]string{"-r", *profiled}, args...), nil, null, io.Discard); status != 0 {
			t.Errorf("%q: status %d", args, status)
		}
	}
}
