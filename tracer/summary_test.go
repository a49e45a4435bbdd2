package tracer

import (
	"strings"
	"testing"

	"github.com/pdig/pdig/syscalls"
)

func TestSummary(t *testing.T) {
	var s summary
	openat := syscalls.Index(abis[0].arch, int(syscalls.LookupName("openat").Nr[abis[0].arch]))
	closeFD := syscalls.Index(abis[0].arch, int(syscalls.LookupName("close").Nr[abis[0].arch]))
	*s.of(&spec{index: openat}) = callCount{calls: 4, errors: 1, time: 3_000_000}
	*s.of(&spec{index: closeFD}) = callCount{calls: 3, drops: 2, time: 1_000_000}
	s.of(&spec{index: -1}).calls++
	var b strings.Builder
	if err := s.write(&b); err != nil {
		t.Fatal(err)
	}
	const want = `% time     seconds  usecs/call     calls    errors     drops syscall
------ ----------- ----------- --------- --------- --------- ----------------
 75.00    0.003000         750         4         1           openat
 25.00    0.001000         333         3                   2 close
  0.00    0.000000           0         1                     <unknown>
------ ----------- ----------- --------- --------- --------- ----------------
100.00    0.004000         500         8         1         2 total
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
