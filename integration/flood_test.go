package integration

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
)

var floodOpens = flag.Int("flood.opens", 50_000, "files that the flooding program opens")

// TestFlood has a program make calls faster than they are read. What is not
// dropped arrives, and what is dropped is counted, by the ring and in the
// summary of the calls alike (E2).
func TestFlood(t *testing.T) {
	program := fixture(t, "flood")
	for _, tt := range []struct {
		onFull string
		pause  time.Duration // of the reader after some records
		drops  bool
	}{
		{"block", 0, false},
		{"block", 2 * time.Millisecond, false},
		{"drop", 20 * time.Millisecond, true},
	} {
		t.Run(fmt.Sprintf("%s %v", tt.onFull, tt.pause), func(t *testing.T) {
			opens := *floodOpens
			if testing.Short() {
				opens /= 10
			}
			f := flood(t, tt.onFull, tt.pause, program, strconv.Itoa(opens))
			t.Logf("%d records delivered, %d lost; %d + %d halves of opens", f.stats.Delivered, f.stats.LostTotal(), f.enters, f.exits)
			if got := f.stats.Delivered + f.stats.LostTotal(); got != f.stats.Seen {
				t.Errorf("%d records delivered or lost, want the %d that were seen", got, f.stats.Seen)
			}
			if uint64(f.records) != f.stats.Delivered {
				t.Errorf("%d records came, counted are %d", f.records, f.stats.Delivered)
			}
			if f.calls != opens {
				t.Errorf("the summary has %d calls, want %d", f.calls, opens)
			}
			if got := f.enters + f.exits + f.drops; got != 2*opens {
				t.Errorf("%d halves delivered or dropped, want %d", got, 2*opens)
			}
			if uint64(f.drops) != f.stats.LostTotal() {
				t.Errorf("%d records were dropped, the reader knows of %d", f.drops, f.stats.LostTotal())
			}
			if (f.drops > 0) != tt.drops {
				t.Errorf("%d records were dropped", f.drops)
			}
			if tt.drops && f.lost != f.stats.LostTotal() || !tt.drops && f.lost != 0 {
				t.Errorf("pdig says that %d were lost, the reader %v", f.lost, f.stats.Lost)
			}
			if tt.drops && f.stats.Lost[event.CauseRingFull] != f.stats.LostTotal() {
				t.Errorf("lost because of something else than a full ring: %v", f.stats.Lost)
			}
		})
	}
}

// flooded is what became of a flood.
type flooded struct {
	records, enters, exits int    // that came
	calls, drops           int    // by pdig's summary
	lost                   uint64 // because of a full ring, by the line below it
	stats                  event.Stats
}

// flood reads what a command does, with a small ring.
func flood(t *testing.T, onFull string, pause time.Duration, command ...string) (f flooded) {
	t.Helper()
	prefix := ring(t)
	consumer := consume(t, shm.Config{Prefix: prefix, Size: 1 << 17})
	argv := []string{"-e", "openat", "--summary", "--ring", prefix, "--schema", "336", "--on-full", onFull, "--"}
	cmd := exec.Command(pdigPath, append(argv, command...)...)
	var words bytes.Buffer
	cmd.Stderr = &words
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var v event.View
	for over, last := false, time.Now(); ; {
		rec, err := consumer.Next()
		switch {
		case err == nil:
			last = time.Now()
			if err := v.Parse(rec); err != nil {
				t.Fatal(err)
			}
			f.records++
			switch v.Info().Enum {
			case "SYSCALL_OPENAT_2_E":
				f.enters++
			case "SYSCALL_OPENAT_2_X":
				f.exits++
			}
			if f.records%100 == 0 {
				time.Sleep(pause)
			}
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal(err)
		case over:
			f.stats = consumer.Stats()
			f.calls, f.drops = summaryOf(t, words.String(), "openat")
			if line := regexp.MustCompile(`(?m)^lost: (\d+) ring full$`).FindStringSubmatch(words.String()); line != nil {
				f.lost = uint64(atoi(line[1]))
			}
			return f
		case time.Since(last) > 30*time.Second:
			t.Fatalf("no record for 30 s after %d", f.records)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v\n%s", err, words.String())
			}
			over = true
		default:
		}
	}
}

// summaryOf finds calls and dropped records of a call in pdig's summary. The
// columns of errors and drops may be empty, all others are not.
func summaryOf(t *testing.T, text, name string) (calls, drops int) {
	t.Helper()
	row := regexp.MustCompile(`(?m)^ *[\d.]+ +[\d.]+ +\d+ +(\d+) (.{9}) (.{9}) ` + name + `$`).FindStringSubmatch(text)
	if row == nil {
		t.Fatalf("no row of %s in %s", name, text)
	}
	if d := bytes.TrimSpace([]byte(row[3])); len(d) > 0 {
		drops = atoi(string(d))
	}
	return atoi(row[1]), drops
}
