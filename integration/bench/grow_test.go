package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// TestGrow writes a capture over and over: times and new threads go on, the first
// thread stays and does not end.
func TestGrow(t *testing.T) {
	clone := syscalls.LookupName("clone").Enter[0] + 1
	base := filepath.Join(t.TempDir(), "base")
	f, err := os.Create(base)
	if err != nil {
		t.Fatal(err)
	}
	w := capture.NewWriter(f, false)
	w.Add(&capture.Process{TID: 10, PID: 10, Comm: "sh"})
	for _, rec := range [][]byte{
		testrecord.Make(t, 1000, 10, clone, 20),
		testrecord.Make(t, 2000, 20, clone, 0, "sh", "", 20, 20, 10),
		testrecord.Make(t, 3000, 20, 186, 0),
		testrecord.Make(t, 4000, 10, 186, 0),
	} {
		if err := w.Event(0, false, rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "grown")
	if n, err := grow(base, to, 5); n != 6 || err != nil {
		t.Errorf("got %d events, %v, want two times three", n, err)
	}
	type seen struct {
		Time     uint64
		TID, Res int64
	}
	var got []seen
	processes := 0
	err = eachEvent(to, func(e capture.Entry) {
		if _, ok := e.(*capture.Process); ok {
			processes++
		}
	}, func(v *event.View) error {
		res, _ := v.Int(0)
		got = append(got, seen{v.Time(), v.TID(), res})
		return nil
	})
	const later, others = 3000 + 1e6, 21
	want := []seen{{1000, 10, 20}, {2000, 20, 0}, {3000, 20, 0}, {1000 + later, 10, 20 + others}, {2000 + later, 20 + others, 0}, {3000 + later, 20 + others, 0}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || processes != 1 {
		t.Errorf("%v, %d processes, want -, got +:\n%s", err, processes, diff)
	}
}
