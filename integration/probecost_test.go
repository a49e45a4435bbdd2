package integration

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	classic "github.com/pdig/pdig/kernelsrc/ebpf"
	"github.com/pdig/pdig/kernelsrc/modern"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/syscalls"
)

var (
	probeCalls  = flag.Int("probes.calls", 5000, "how many calls BenchmarkProbes makes each time")
	probeRounds = flag.Int("probes.rounds", 3, "how often it does")
)

// measured are the calls of BenchmarkProbes: the last one is not wanted.
var measured = []string{"openat", "read", "connect", "getppid", "getpgid"}

// BenchmarkProbes is what calls cost a program, in processor time, without a probe, with
// a pair of programs that do nothing, with the modern probe and with the classic one of
// this kernel (-ebpf.object): in turn, each for all calls, so that the ratios say more than
// the figures. Nobody reads meanwhile, and the rings hold it all.
func BenchmarkProbes(b *testing.B) {
	variants := []struct {
		name string
		open func(b *testing.B) source.Source // nil: there is none
	}{
		{"native", func(*testing.B) source.Source { return nil }},
		{"empty", openEmpty},
		{"modern", func(b *testing.B) source.Source {
			src, err := modern.Open(modern.Config{RingSize: 32 << 20, CPUsPerRing: 1, Snaplen: 80, Wants: isMeasured, Truth: true})
			return openedModern(b, src, err)
		}},
		{"classic", func(b *testing.B) source.Source {
			d, err := classic.Open(classic.Config{File: *classicProbe, RingSize: 32 << 20, Snaplen: 80, Wants: isMeasured, Log: zerolog.Nop()})
			if err != nil {
				b.Fatal(err)
			}
			return source.Merge(d)
		}},
	}
	if *classicProbe == "" {
		variants = variants[:3]
	}
	program := filepath.Join(b.TempDir(), "calls") // which it opens: not through a network, as in guests
	if out, err := exec.Command("cp", fixture(b, "calls"), program).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	took := make([][][]float64, len(measured)) // of each call, of each variant: the rounds
	for range b.N {
		for range *probeRounds {
			for v, variant := range variants {
				src := variant.open(b)
				for c, name := range measured {
					took[c] = append(took[c], make([][]float64, len(variants)-len(took[c]))...)
					took[c][v] = append(took[c][v], makeCalls(b, program, name))
				}
				if src == nil {
					continue
				}
				if lost := src.Stats().Lost[event.CauseRingFull]; lost != 0 {
					b.Logf("%s: %d records found a ring full, so the figures are too small", variant.name, lost)
				}
				if err := src.Close(); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	var table strings.Builder
	for c, name := range measured {
		fmt.Fprintf(&table, "| %s |", name)
		for v := range variants {
			fmt.Fprintf(&table, " %s %.0f ns |", variants[v].name, median(took[c][v]))
		}
		for v := range variants[2:] {
			fmt.Fprintf(&table, " %s × empty %.2f |", variants[2+v].name, ratio(took[c][2+v], took[c][1]))
		}
		if len(variants) > 3 {
			fmt.Fprintf(&table, " modern × classic %.2f |", ratio(took[c][2], took[c][3]))
		}
		table.WriteString("\n")
	}
	b.Logf("medians of %d rounds of %d calls:\n%s", len(took[0][0]), *probeCalls, &table)
}

func isMeasured(c *syscalls.Call) bool { return slices.Contains(measured[:len(measured)-1], c.Name) }

// openedModern skips where the kernel has no modern probe.
func openedModern(b *testing.B, src *modern.Probe, err error) source.Source {
	b.Helper()
	if withoutModern(err) {
		b.Skipf("the probe needs Linux 5.8 with BTF, and CAP_BPF and CAP_PERFMON: %v", err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return src
}

// emptyPair is a program at the entry and at the exit of all calls. It is a source
// without records.
type emptyPair struct{ close []func() error }

func (e *emptyPair) Next() ([]byte, error) { return nil, os.ErrDeadlineExceeded }
func (e *emptyPair) Stats() event.Stats    { return event.Stats{} }

func (e *emptyPair) Close() (err error) {
	for _, f := range e.close {
		err = errors.Join(err, f())
	}
	return err
}

func openEmpty(b *testing.B) source.Source {
	b.Helper()
	e := &emptyPair{}
	for _, at := range []string{"sys_enter", "sys_exit"} {
		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: at, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		})
		if err != nil {
			b.Skipf("needs Linux 5.5 with BTF, and CAP_BPF and CAP_PERFMON: %v", err)
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			b.Fatal(err)
		}
		e.close = append(e.close, l.Close, p.Close)
	}
	return e
}

// makeCalls has calls made, and returns what each has cost.
func makeCalls(b *testing.B, program, name string) (each float64) {
	b.Helper()
	out, err := exec.Command(program, name, strconv.Itoa(*probeCalls)).CombinedOutput()
	if err == nil {
		each, err = strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	}
	if err != nil {
		b.Fatalf("%s: %v: %s", name, err, out)
	}
	return each
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// ratio is the median of the ratios within the rounds.
func ratio(a, b []float64) float64 {
	var all []float64
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return median(all)
}
