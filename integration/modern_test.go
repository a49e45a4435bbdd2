package integration

import (
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc/modern"
	"github.com/pdig/pdig/syscalls"
)

// TestModern has the programs of the oracle watched by the probe in the kernel: the
// same calls give the same events, parameter by parameter, as under pdig.
func TestModern(t *testing.T) {
	for _, row := range []struct {
		name   string
		judged []string // nil: what stands between marks
		narrow bool     // as a 32-bit program too
	}{
		{"oracle-files", slices.Concat(births, programs, descriptors), false},
		{"oracle-sockets", slices.Concat(births, programs, descriptors), true},
		{"oracle-processes", slices.Concat(births, programs, descriptors), true},
		{"oracle-exec", programs, false},
		{"oracle-messages", nil, true},
		{"oracle-data", nil, true},
		{"oracle-descriptors", nil, false},
		{"oracle-control", nil, false},
		{"oracle-names", nil, false},
		{"oracle-i386", nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			program := fixture(t, row.name)
			if row.narrow {
				t.Run(narrowABI, func(t *testing.T) { probed(t, "newest", narrowFixture(t, row.name), row.judged) })
			}
			for _, schema := range []string{"newest", "336"} {
				t.Run(schema, func(t *testing.T) { probed(t, schema, program, row.judged) })
			}
		})
	}
}

// probed compares what a program of the oracle says with its records under the probe.
func probed(t *testing.T, schema, program string, judged []string) {
	t.Helper()
	said, records := probeInto(t, schema, program)
	if said = knownTo(schema, said); judged != nil {
		compareOracle(t, said, records, judged)
	} else {
		compareMarked(t, said, records)
	}
}

// probeInto runs a program of the oracle under the probe and returns its output and
// the records of its threads.
func probeInto(t *testing.T, schema, program string) (stdout string, records [][]byte) {
	t.Helper()
	return probeAt(t, t.TempDir(), schema, program)
}

// probeAt is probeInto for a program that works in a directory.
func probeAt(t *testing.T, dir, schema, program string) (stdout string, records [][]byte) {
	t.Helper()
	const snaplen = 80
	cfg := modern.Config{RingSize: 64 << 20, Snaplen: snaplen, Family: true}
	if schema != "newest" {
		cfg.Ceiling, _ = strconv.Atoi(schema)
	}
	probe, err := modern.Open(cfg)
	var old *modern.OldKernelError
	if errors.Is(err, modern.ErrNoBTF) || errors.Is(err, modern.ErrPermission) || errors.As(err, &old) {
		t.Skipf("the probe needs Linux 5.8 with BTF, and CAP_BPF and CAP_PERFMON: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer probe.Close()
	family := map[int64]bool{}
	return recordsOf(t, probe, exec.Command(program, schema, dir, strconv.Itoa(snaplen)), func(pid int, rec []byte) bool {
		family[int64(pid)] = true
		return ofFamily(t, family, rec)
	})
}

// ofFamily reports whether a record is about a thread that descends from those of
// family, which it joins.
func ofFamily(t *testing.T, family map[int64]bool, rec []byte) bool {
	t.Helper()
	var v event.View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	switch v.Type() {
	case syscalls.CloneX, syscalls.ForkX, syscalls.VforkX, syscalls.Clone3X:
		const res, ptid = 0, 5
		if n, _ := v.Int(res); n == 0 {
			parent, _ := v.Int(ptid)
			pid, _ := v.Int(4)
			if family[parent] || family[pid] {
				family[v.TID()] = true
			}
		}
	}
	return family[v.TID()]
}
