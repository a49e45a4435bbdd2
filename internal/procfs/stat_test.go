package procfs

import (
	"errors"
	"os"
	"testing"
)

func TestReadStat(t *testing.T) {
	s, err := ReadStat("/proc", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if s.Dead() || s.StartTime == 0 {
		t.Errorf("state %q, start %d of a living process", s.State, s.StartTime)
	}
	if _, err := ReadStat("/proc", 1<<30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such process: %v, want os.ErrNotExist", err)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20\n"
	for _, tt := range []struct {
		in   string
		want Stat
		err  error
	}{
		{"7 (a) Z" + rest, Stat{State: 'Z', PGID: 2, SID: 3, TTY: 4, MinFaults: 7, MajFaults: 9, StartTime: 4711}, nil},
		{"7 (a) R 1) b\n (c) S" + rest, Stat{State: 'S', PGID: 2, SID: 3, TTY: 4, MinFaults: 7, MajFaults: 9, StartTime: 4711}, nil},
		{"", Stat{}, ErrFormat},
		{"7 (a) R 1 2", Stat{}, ErrFormat},
		{"7 (a) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x", Stat{}, ErrFormat},
	} {
		got, err := parseStat([]byte(tt.in))
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("parseStat(%q) = %v, %v, want %v, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20\n"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = parseStat(b) })
}
