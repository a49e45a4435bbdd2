package tracer

import (
	"strings"
	"testing"
)

func TestInterpreter(t *testing.T) {
	long := "/" + strings.Repeat("a", headSize)
	for _, c := range []struct{ head, want string }{
		{"#!/bin/sh\n", "/bin/sh"},
		{"#! \t/bin/sh -e\n", "/bin/sh"},
		{"#!/bin/sh\t-e\n", "/bin/sh"},
		{"#!sh\n/bin/x", "sh"},
		{"#!/bin/sh", "/bin/sh"},
		{"#!/bin/sh\x00/bin/x", "/bin/sh"},
		{("#!" + long)[:headSize], ""},
		{"#!\n/bin/sh", ""},
		{"#!", ""},
		{"#", ""},
		{" #!/bin/sh\n", ""},
		{"\x7fELF", ""},
		{"", ""},
	} {
		if got := interpreter([]byte(c.head)); string(got) != c.want {
			t.Errorf("%q: got %q, want %q", c.head, got, c.want)
		}
	}
}
