package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// describeMachine says what the figures were measured on.
func describeMachine(ctx context.Context, rounds int) string {
	kernel := "unknown kernel"
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
	}
	cpu := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	strace, err := exec.CommandContext(ctx, "strace", "--version").Output()
	if err != nil {
		strace = []byte("unknown strace")
	}
	first, _, _ := strings.Cut(string(strace), "\n")
	return fmt.Sprintf("%s, %d × %s, %s, %s, rounds: %d", kernel, runtime.NumCPU(), cpu,
		strings.Replace(first, " -- version", "", 1), runtime.Version(), rounds)
}

// tablePrinter prints for a terminal, or as Markdown.
type tablePrinter struct {
	out      io.Writer
	markdown bool
}

func (p tablePrinter) machine(text string) { fmt.Fprintf(p.out, "%s\n", text) }

func (p tablePrinter) table(title string, rows []row) {
	header := []string{"one turn", "min", "max", "× native", "× strace", "× strace, one CPU"}
	if p.markdown {
		fmt.Fprintf(p.out, "\n| %s | %s |\n|---|%s\n", title, strings.Join(header, " | "), strings.Repeat("---:|", len(header)))
	} else {
		fmt.Fprintf(p.out, "\n%-34s %12s %12s %12s %9s %9s %18s\n", title, header[0], header[1], header[2], header[3], header[4], header[5])
	}
	for _, r := range rows {
		cells := []any{r.name, duration(r.median), duration(slices.Min(r.ns)), duration(slices.Max(r.ns)),
			number(r.toNative, 2), number(r.toStrace, 2), number(r.toStraceOneCPU, 2)}
		format := "%-34s %12s %12s %12s %9s %9s %18s\n"
		if p.markdown {
			format = "|" + strings.Repeat(" %s |", len(cells)) + "\n"
		}
		fmt.Fprintf(p.out, format, cells...)
	}
}

// duration is a number of nanoseconds with three digits.
func duration(ns float64) string {
	unit, digits := "ns", 0
	for _, next := range []string{"µs", "ms", "s"} {
		if ns < 999.5 {
			break
		}
		unit, ns = next, ns/1000
	}
	if unit != "ns" {
		switch {
		case ns < 9.995:
			digits = 2
		case ns < 99.95:
			digits = 1
		}
	}
	return fmt.Sprintf("%.*f %s", digits, ns, unit)
}

func number(v float64, digits int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, v)
}
