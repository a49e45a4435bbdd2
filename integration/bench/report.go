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
	"unicode/utf8"

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
	p.head(title, "one turn", "min", "max", "× native", "× strace", "× strace, one CPU")
	for _, r := range rows {
		p.cells(r.name, duration(r.median), duration(slices.Min(r.ns)), duration(slices.Max(r.ns)),
			number(r.toNative, 2), number(r.toStrace, 2), number(r.toStraceOneCPU, 2))
	}
}

// head begins a table.
func (p tablePrinter) head(title string, columns ...string) {
	fmt.Fprintln(p.out)
	p.cells(append([]string{title}, columns...)...)
	if p.markdown {
		fmt.Fprintf(p.out, "|---|%s\n", strings.Repeat("---:|", len(columns)))
	}
}

// cells prints a line of a table.
func (p tablePrinter) cells(cells ...string) {
	if p.markdown {
		fmt.Fprintf(p.out, "| %s |\n", strings.Join(cells, " | "))
		return
	}
	fmt.Fprintf(p.out, "%-40s", cells[0])
	for _, c := range cells[1:] {
		fmt.Fprintf(p.out, " %*s", max(12, utf8.RuneCountInString(c)), c)
	}
	fmt.Fprintln(p.out)
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
