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
	}{
		{"oracle-files", slices.Concat(births, programs, descriptors)},
		{"oracle-messages", nil},
		{"oracle-data", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			program := fixture(t, row.name)
			for _, schema := range []string{"newest", "336"} {
				t.Run(schema, func(t *testing.T) {
					said, records := probeInto(t, schema, program)
					if said = knownTo(schema, said); row.judged != nil {
						compareOracle(t, said, records, row.judged)
					} else {
						compareMarked(t, said, records)
					}
				})
			}
		})
	}
}

// probeInto runs a program of the oracle under the probe and returns its output and
// the records of its threads.
func probeInto(t *testing.T, schema, program string) (stdout string, records [][]byte) {
	t.Helper()
	const snaplen = 80
	cfg := modern.Config{RingSize: 64 << 20, Snaplen: snaplen}
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
	return recordsOf(t, probe, exec.Command(program, schema, t.TempDir(), strconv.Itoa(snaplen)), func(pid int, rec []byte) bool {
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
