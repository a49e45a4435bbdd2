package tracer

import (
	"strings"
	"testing"

	"github.com/pdig/pdig/event"
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

// TestSummaryLines: what stands below the table only where there is something to say.
func TestSummaryLines(t *testing.T) {
	open := syscalls.Index(abis[0].arch, int(syscalls.LookupName("openat").Nr[abis[0].arch]))
	exec := syscalls.Index(abis[0].arch, int(syscalls.LookupName("execve").Nr[abis[0].arch]))
	for _, row := range []struct {
		mismatches uint64
		lost       map[event.Cause]uint64
		want       string
	}{
		{0, nil, ""},
		{3, nil, "did something else than their events say: openat 4 execve 3\n"},
		{0, map[event.Cause]uint64{event.CauseRingFull: 7}, "lost: 7 ring full\n"},
		{1, map[event.Cause]uint64{event.CauseReader: 2, event.CauseRingFull: 1, event.CauseEncode: 9},
			"did something else than their events say: openat 2 execve 1\nlost: 1 ring full, 9 not encodable, 2 reader gone\n"},
	} {
		s := summary{lost: func() (n [event.NumCauses]uint64) {
			for cause, x := range row.lost {
				n[cause] = x
			}
			return n
		}}
		*s.of(&spec{index: open}) = callCount{calls: 9, time: 2}
		*s.of(&spec{index: exec}) = callCount{calls: 9, time: 1, mismatches: row.mismatches}
		if row.mismatches > 0 {
			s.of(&spec{index: open}).mismatches = row.mismatches + 1
		}
		var b strings.Builder
		if err := s.write(&b); err != nil {
			t.Fatal(err)
		}
		if _, below, _ := strings.Cut(b.String(), " total\n"); below != row.want {
			t.Errorf("got %q, want %q", below, row.want)
		}
	}
}
