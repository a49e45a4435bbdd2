package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
)

// loop is something that the tracee does over and over.
type loop struct {
	title  string
	mode   string // of programs/tracee.c
	n      int    // turns, at scale 1
	strace string // its -e trace=
	pdig   string // its -e
	floor  string // what programs/floor.c traces
	events int    // that pdig makes of one turn, at least
}

var loops = []loop{
	{title: "openat+close", mode: "openclose", n: 20_000, strace: "openat,close", pdig: "openat,close", floor: "openclose", events: 4},
	{
		title: "fork+exec", mode: "forkexec", n: 300, floor: "exec", pdig: "exec",
		strace: "clone,clone3,?fork,?vfork,execve,execveat,exit,exit_group",
		// Two halves of clone in the parent, one in the child; two of execve;
		// the enter half of exit_group; the end of the process.
		events: 7,
	},
	{title: "getppid, which nobody traces", mode: "getppid", n: 1_000_000, strace: "openat,close", pdig: "openat,close", floor: "openclose"},
}

func (l loop) turns(scale float64) int { return max(1, int(math.Round(float64(l.n)*scale))) }

// variant is one way to run a loop.
type variant struct {
	name   string
	prefix []string // of the command
	oneCPU bool
	sensor bool // reads the events, over ring
	ring   string
}

// Names of the variants that others are compared with.
const (
	native       = "native"
	straceFree   = "strace -f --seccomp-bpf"
	straceOneCPU = "strace -f --seccomp-bpf, one CPU"
)

func (l loop) variants(t tools) []variant {
	strace := []string{"strace", "-f", "--seccomp-bpf", "-e", "trace=" + l.strace, "-o", "/dev/null"}
	floor := []string{t.floor, l.floor}
	ring := t.dir + "/ring"
	pdig := []string{t.pdig, "--ring", ring, "-e", l.pdig, "--"}
	return []variant{
		{name: native},
		{name: straceFree, prefix: strace},
		{name: straceOneCPU, prefix: strace, oneCPU: true},
		{name: "C floor", prefix: floor},
		{name: "C floor, one CPU", prefix: floor, oneCPU: true},
		{name: "pdig, sensor attached", prefix: pdig, sensor: true, ring: ring},
		{name: "pdig, one CPU, sensor attached", prefix: pdig, oneCPU: true, sensor: true, ring: ring},
	}
}

// row is what was measured of one variant.
type row struct {
	name           string
	ns             []float64 // per turn, one a round
	median         float64
	toNative       float64
	toStrace       float64 // NaN where strace was not run
	toStraceOneCPU float64
}

// measure runs the variants of a loop in turn.
func measure(ctx context.Context, t tools, l loop, n, rounds int, only *regexp.Regexp, progress io.Writer) ([]row, error) {
	var variants []variant
	for _, v := range l.variants(t) {
		if v.name == native || only.MatchString(v.name) {
			variants = append(variants, v)
		}
	}
	rows := make([]row, len(variants))
	for round := range rounds {
		fmt.Fprintf(progress, "bench: %s: round %d of %d\n", l.title, round+1, rounds)
		for i := range variants {
			at := (i + round) % len(variants) // nobody always comes after the same
			v := variants[at]
			ns, err := runVariant(ctx, t, l, v, n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.name, err)
			}
			rows[at].name = v.name
			rows[at].ns = append(rows[at].ns, ns)
		}
	}
	for i := range rows {
		r := &rows[i]
		r.median = median(r.ns)
		r.toNative = medianRatio(r.ns, find(rows, native))
		r.toStrace = medianRatio(r.ns, find(rows, straceFree))
		r.toStraceOneCPU = medianRatio(r.ns, find(rows, straceOneCPU))
	}
	return rows, nil
}

func find(rows []row, name string) []float64 {
	for _, r := range rows {
		if r.name == name {
			return r.ns
		}
	}
	return nil
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return math.NaN()
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// medianRatio is the median of a/b within each round, NaN where b is missing.
func medianRatio(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}
