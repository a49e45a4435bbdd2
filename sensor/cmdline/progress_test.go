package cmdline

import (
	"bufio"
	"io"
	"testing"
	"time"
)

// grower is a file of which each look finds a percent more.
type grower struct{ read int64 }

func (g *grower) Progress() (read, size int64) {
	g.read += 10
	return g.read, 1000
}

func TestProgress(t *testing.T) {
	t.Parallel()
	from, to := io.Pipe()
	ended := make(chan struct{})
	told := bufio.NewReader(from)
	end := tellProgress(to, "a.scap", &grower{}, time.Millisecond)
	for _, want := range []string{"\x1b[Ka.scap: 1 %\r", "\x1b[Ka.scap: 2 %\r"} {
		if got, err := told.ReadString('\r'); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	go func() { end(); to.Close(); close(ended) }()
	rest, err := io.ReadAll(told)
	if err != nil || len(rest) < 3 || string(rest[len(rest)-3:]) != "\x1b[K" {
		t.Errorf("at the end: got %q, %v, want the line erased", rest, err)
	}
	<-ended
}

// TestProgressShort says nothing of what is read at once.
func TestProgressShort(t *testing.T) {
	t.Parallel()
	from, to := io.Pipe()
	go func() { tellProgress(to, "a.scap", &grower{}, time.Hour)(); to.Close() }()
	if told, err := io.ReadAll(from); err != nil || len(told) > 0 {
		t.Errorf("got %q, %v, want nothing", told, err)
	}
}
