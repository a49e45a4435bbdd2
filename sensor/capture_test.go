package sensor

import (
	"bytes"
	"context"
	"net/netip"
	"testing"

	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/sensor/output"
	"github.com/pdig/pdig/sensor/state"
)

// lived is a capture of the small program.
func lived(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := capture.NewWriter(&b, false)
	w.Add(&capture.User{UID: 0, Name: "root"})
	w.Add(&capture.Process{TID: 100, PID: 100, PTID: 1, Comm: "sh", Cwd: "/"})
	w.Add(&capture.Process{TID: 101, PID: 100, PTID: 1, Comm: "thread", Flags: 3})
	w.Add(&capture.FD{TID: 100, Number: 3, Type: capture.FDIPv4, Source: netip.MustParseAddrPort("1.2.3.4:5"), Dest: netip.MustParseAddrPort("6.7.8.9:10"), L4: capture.L4TCP})
	for _, s := range life(t) {
		if err := w.Event(0, false, s.rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// replay prints a capture and writes it again.
func replay(b []byte) (lines, again []byte, err error) {
	var out, to bytes.Buffer
	table := state.New(state.Config{MaxThreads: 64, MaxFDs: 16, MaxAllFDs: 256})
	w := capture.NewWriter(&to, false)
	src := capture.NewReader(bytes.NewReader(b), "f", func(e capture.Entry) {
		table.Restore(e)
		w.Add(e)
	})
	s := New(Config{Source: src, State: table, Output: output.NewWriter(&out, &output.Text{}), Record: record{w}})
	err = s.Run(context.Background())
	table.Dump(func(capture.Entry) {})
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	return out.Bytes(), to.Bytes(), err
}

// record is a writer as a recorder.
type record struct{ *capture.Writer }

func (record) Begin(uint64, []byte) error { return nil }

func (r record) Flush(bool) error { return r.Writer.Flush() }

// FuzzCapture wants what was written again to be printed as the capture was.
func FuzzCapture(f *testing.F) {
	f.Add(lived(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, again, err := replay(b)
		if err != nil || len(lines) == 0 {
			return // what is written of events that are unknown is a file without any
		}
		if got, _, err := replay(again); !bytes.Equal(got, lines) || err != nil {
			t.Errorf("written again: %v\n got %q\nwant %q", err, got, lines)
		}
	})
}

// TestMutated changes bytes of a capture, one after the other; in short only
// some of them.
func TestMutated(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 41
	}
	b := lived(t)
	want, _, err := replay(b)
	if err != nil || len(want) == 0 {
		t.Fatalf("got %q, %v", want, err)
	}
	changed := bytes.Clone(b)
	for i := 0; i < len(b); i += step {
		for _, c := range []byte{0, 0xff, b[i] ^ 1, b[i] ^ 0x80} {
			changed[i] = c
			if lines, again, err := replay(changed); err == nil {
				if got, _, err := replay(again); !bytes.Equal(got, lines) || err != nil {
					t.Fatalf("byte %d is %#x: written again: %v\n got %q\nwant %q", i, c, err, got, lines)
				}
			}
		}
		changed[i] = b[i]
	}
}
