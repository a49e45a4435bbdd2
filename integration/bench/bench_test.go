package main

import (
	"bytes"
	"errors"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
	} {
		if got := median(c.in); got != c.want {
			t.Errorf("median(%v): got %v, want %v", c.in, got, c.want)
		}
	}
	if got := medianRatio([]float64{2, 30, 8}, []float64{1, 10, 2}); got != 3 {
		t.Errorf("medianRatio: got %v, want 3", got)
	}
	if got := medianRatio([]float64{2}, nil); !math.IsNaN(got) {
		t.Errorf("medianRatio without a base: got %v, want NaN", got)
	}
}

func TestCheckCounts(t *testing.T) {
	for _, c := range []struct {
		words string
		ok    bool
	}{
		{"a word\nevents: 100 delivered, 0 lost\n", true},
		{"events: 99 delivered, 0 lost\n", false},
		{"events: 100 delivered, 1 lost\n  ring full: 1\n", false},
		{"a word\n", false},
	} {
		if err := checkCounts(c.words, 100); (err == nil) != c.ok {
			t.Errorf("checkCounts(%q): got %v, want success: %v", c.words, err, c.ok)
		}
	}
}

func TestTable(t *testing.T) {
	rows := []row{
		{name: native, ns: []float64{1, 3, 2}, median: 2, toNative: 1, toStrace: 0.05, toStraceOneCPU: math.NaN()},
		{name: "pdig", ns: []float64{40e3, 38.4e3}, median: 39.2e3, toNative: 20.1, toStrace: 1, toStraceOneCPU: math.NaN()},
	}
	const want = `
| a loop | one turn | min | max | × native | × strace | × strace, one CPU |
|---|---:|---:|---:|---:|---:|---:|
| native | 2 ns | 1 ns | 3 ns | 1.00 | 0.05 | – |
| pdig | 39.2 µs | 38.4 µs | 40.0 µs | 20.10 | 1.00 | – |
`
	var out bytes.Buffer
	tablePrinter{out: &out, markdown: true}.table("a loop", rows)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestPrograms runs the C programs: every loop makes the turns that it says,
// natively and below the floor, which ends as its command did.
func TestPrograms(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc to compile the programs with")
	}
	dir := t.TempDir()
	tracee, floor := filepath.Join(dir, "tracee"), filepath.Join(dir, "floor")
	if err := errors.Join(compile(t.Context(), tracee, traceeSource), compile(t.Context(), floor, floorSource)); err != nil {
		t.Fatal(err)
	}
	for _, l := range loops {
		m, ok := l.work.(mode)
		if !ok {
			continue // takes too long
		}
		for _, prefix := range [][]string{nil, {floor, l.floor}} {
			v := variant{name: string(m), prefix: prefix}
			ns, err := runVariant(t.Context(), tools{tracee: tracee}, l, v, 10)
			if err != nil || ns <= 0 {
				t.Errorf("%s below %q: got %v ns, error %v", m, prefix, ns, err)
			}
		}
	}
	var exit *exec.ExitError
	if err := exec.Command(floor, floorProcess, "sh", "-c", "sh -c 'kill -9 $$'; exit $(($? - 100))").Run(); !errors.As(err, &exit) || exit.ExitCode() != 37 {
		t.Errorf("status below the floor: got %v, want exit status 37", err)
	}
}
