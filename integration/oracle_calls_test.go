package integration

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

func TestOracleMessages(t *testing.T) { oracleCalls(t, "oracle-messages", 80) }

// TestOracleDescriptors has the calls of io_uring among others (P23).
func TestOracleDescriptors(t *testing.T) { oracleCalls(t, "oracle-descriptors", 80) }

func TestOracleControl(t *testing.T) { oracleCalls(t, "oracle-control", 80) }

func TestOracleI386(t *testing.T) { oracleCalls(t, "oracle-i386", 80) }

func TestOracleNames(t *testing.T) { oracleCalls(t, "oracle-names", 80) }

func TestOracleData(t *testing.T) { oracleCalls(t, "oracle-data", 80) }

// Maximum lengths: as much data as a record may hold.
func TestOracleLargeData(t *testing.T) { oracleCalls(t, "oracle-data", 65000) }

// oracleCalls runs a program of single calls under pdig, as oracle does, and
// compares all records between the program's marks.
func oracleCalls(t *testing.T, name string, snaplen int) {
	t.Parallel()
	each := eachABI
	if name == "oracle-i386" { // what it does is a 64-bit program's
		each = func(t *testing.T, name string, run func(*testing.T, string)) { run(t, fixture(t, name)) }
	}
	each(t, name, func(t *testing.T, program string) {
		for _, schema := range []string{"newest", "336"} {
			t.Run(schema, func(t *testing.T) {
				t.Parallel()
				size := strconv.Itoa(snaplen)
				said, records := traceInto(t, "--schema", schema, "--snaplen", size, "--", program, schema, t.TempDir(), size)
				compareMarked(t, knownTo(schema, said), records)
			})
		}
	})
}

// compareMarked compares, of each thread, the records between marks with what
// was said of them. Lines of the program about what the machine lacks become
// tests that are skipped.
func compareMarked(t *testing.T, said string, records [][]byte) {
	t.Helper()
	var lines strings.Builder
	for line := range strings.Lines(said) {
		if what, ok := strings.CutPrefix(line, "missing "); ok {
			what = strings.TrimSpace(what)
			t.Run(what, func(t *testing.T) { t.Skip("the machine lacks it") })
			tally.mu.Lock()
			tally.missing[what] = true
			tally.mu.Unlock()
			continue
		}
		lines.WriteString(line)
	}
	want := saidOf(t, lines.String())
	got, order := marked(t, records)
	if len(order) == 0 || len(want) == 0 {
		t.Fatalf("%d threads left records, %d told of any", len(order), len(want))
	}
	for _, tid := range order {
		compareThread(t, tid, want[tid], got[tid])
		delete(want, tid)
	}
	for tid, lines := range want {
		t.Errorf("thread %d left no record, want %q", tid, lines)
	}
}

// mark is the number of the call with which the programs mark what is judged.
const mark = 1023

// marked describes the records of each thread between marks.
func marked(t *testing.T, records [][]byte) (got map[int64][]string, order []int64) {
	t.Helper()
	got = map[int64][]string{}
	passed := map[int64]int{} // records of marks: two each
	for i, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		tid := v.TID()
		if isMark(&v) {
			passed[tid]++
			continue
		}
		if passed[tid]%4 != 2 {
			continue
		}
		if got[tid] == nil {
			order = append(order, tid)
		}
		got[tid] = append(got[tid], describe(&v))
	}
	return got, order
}

func isMark(v *event.View) bool {
	if v.Type() != syscalls.GenericE && v.Type() != syscalls.GenericX {
		return false
	}
	nr := v.Param(1)
	return len(nr) == 2 && binary.NativeEndian.Uint16(nr) == mark
}

// tally collects the codes of events that were as they were told, and what the
// machine lacks for some cases.
var tally = struct {
	mu      sync.Mutex
	fired   map[uint16]bool
	missing map[string]bool
}{fired: map[uint16]bool{}, missing: map[string]bool{}}

// fire notes that an event was as it was told.
func fire(told string) {
	code, _, _ := strings.Cut(told, " ")
	if n, err := strconv.ParseUint(code, 10, 16); err == nil {
		tally.mu.Lock()
		tally.fired[uint16(n)] = true
		tally.mu.Unlock()
	}
}

var reportOracle = flag.Bool("oracle", false, "say at the end which events of system calls had a case")

// oracleReport says how many of the events that a system call of this
// architecture can leave have been checked, and which have not. It reports
// whether all have.
func oracleReport(w io.Writer) bool {
	codes, names := map[uint16]string{}, []string{}
	codes[syscalls.GenericE], codes[syscalls.GenericX] = "generic", "generic"
	for i := range syscalls.Calls {
		c := &syscalls.Calls[i]
		if c.Nr[nativeArch()] < 0 {
			continue
		}
		for _, enter := range c.Enter {
			for _, code := range []uint16{enter, enter + 1} {
				if syscalls.Events[code].Flags&syscalls.Unused == 0 {
					codes[code] = c.Name
				}
			}
		}
	}
	fired := 0
	for code, name := range codes {
		if tally.fired[code] {
			fired++
		} else {
			names = append(names, fmt.Sprintf("%03d %s %s", code, syscalls.Events[code].Enum, name))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(tally.missing)) {
		fmt.Fprintf(w, "oracle: cases left out, the machine lacks %s\n", what)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "oracle: no case fired: %s\n", name)
	}
	fmt.Fprintf(w, "oracle: %d of %d events\n", fired, len(codes))
	return fired == len(codes)
}

func nativeArch() syscalls.Arch {
	if runtime.GOARCH == "arm64" {
		return syscalls.ARM64
	}
	return syscalls.AMD64
}
