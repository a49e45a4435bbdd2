package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// captureEvents is how many events a capture has that is read, at scale 1.
const captureEvents = 5_000_000

// recorded is the command whose capture is written over and over: programs that open
// files, talk and start others.
const recorded = `for i in 1 2 3 4 5; do ls -l /usr/bin | grep x | wc -l; (cd /usr; cat lib/os-release | tr a b | sort); done
find /usr/share/doc -size +100k; tar c /usr/include/linux | wc -c
for i in 1 2 3 4 5; do bash -c 'exec 3<>/dev/udp/127.0.0.1/9 && echo x >&3'; done`

// reading is a way to read a capture.
type reading struct {
	title          string
	sysdig, sensor []string // the arguments behind -r FILE
}

// A filter of sysdig's own stands before its state, so that it has less to do; the
// one that sees what the sensor's sees is that of -d.
var readings = []reading{
	{title: "count", sysdig: []string{"-q"}, sensor: []string{"-q"}},
	{title: "filter", sysdig: []string{"-q", "evt.type=openat and fd.name contains /etc"}, sensor: []string{"-q", "evt.type=openat and fd.name contains /etc"}},
	{title: "filter, sysdig -d", sysdig: []string{"-q", "-d", "evt.type=openat and fd.name contains /etc"}, sensor: []string{"-q", "evt.type=openat and fd.name contains /etc"}},
	{title: "print"},
}

// readRow is what one program took, a value each round.
type readRow struct {
	name string
	wall []float64 // ns an event
	cpu  []float64 // ns an event, of all threads
	rss  []float64 // the most, MiB
}

// captureFile records a command and makes a capture with at least n events of it.
func captureFile(ctx context.Context, t tools, n int) (path string, events int, err error) {
	base, path := filepath.Join(t.build, "base.scap"), filepath.Join(t.build, "capture.scap")
	cmd := exec.CommandContext(ctx, t.sensor, "-A", "-w", base, "--", "bash", "-c", recorded)
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &words
	if err := cmd.Run(); err != nil {
		return "", 0, fmt.Errorf("record: %w: %s", err, &words)
	}
	events, err = grow(base, path, n)
	return path, events, err
}

// measureReading runs sysdig and the sensor in turn over a capture.
func measureReading(ctx context.Context, t tools, r reading, file string, events, rounds int) ([]readRow, error) {
	rows := []readRow{{name: "sysdig"}, {name: "sensor"}}
	commands := [][]string{append([]string{"sysdig", "-r", file}, r.sysdig...), append([]string{t.sensor, "-r", file}, r.sensor...)}
	for round := range rounds {
		for i := range commands {
			at := (i + round) % len(commands) // nobody always comes second
			if err := rows[at].run(ctx, commands[at], events); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// run runs a command once.
func (r *readRow) run(ctx context.Context, argv []string, events int) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var words bytes.Buffer
	cmd.Stderr = &words
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	cmd.Stdout = null
	began := time.Now()
	err = start(cmd, false)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, &words)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("no resource usage")
	}
	r.wall = append(r.wall, float64(time.Since(began))/float64(events))
	r.cpu = append(r.cpu, float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())/float64(events))
	r.rss = append(r.rss, float64(usage.Maxrss)/1024)
	return nil
}

// readers makes the captures and prints the tables. The second capture is four times
// as long as the first: what reading takes in memory must not grow with it.
func readers(ctx context.Context, t tools, match func(string) bool, scale float64, rounds int, out tablePrinter, progress io.Writer) error {
	for _, times := range []int{1, 4} {
		title := fmt.Sprintf("a capture of %d million events", times*5)
		want := int(math.Round(captureEvents * scale * float64(times)))
		if !match(title) {
			continue
		}
		if _, err := exec.LookPath("sysdig"); err != nil {
			fmt.Fprintf(progress, "bench: %s: not run: sysdig is not installed\n", title)
			continue
		}
		fmt.Fprintf(progress, "bench: %s: it is made\n", title)
		file, events, err := captureFile(ctx, t, want)
		if err != nil {
			return err
		}
		for i, r := range readings {
			if times > 1 && i > 1 {
				break // these tell: without state, and with it
			}
			fmt.Fprintf(progress, "bench: %s: %s\n", title, r.title)
			rows, err := measureReading(ctx, t, r, file, events, rounds)
			if err != nil {
				return err
			}
			out.readers(title+": "+r.title, rows)
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

func (p tablePrinter) readers(title string, rows []readRow) {
	p.head(title, "an event", "min", "max", "processor", "memory", "speed, × sysdig", "of processors")
	for _, r := range rows {
		p.cells(r.name, duration(median(r.wall)), duration(slices.Min(r.wall)), duration(slices.Max(r.wall)),
			duration(median(r.cpu)), number(median(r.rss), 0)+" MiB",
			number(medianRatio(rows[0].wall, r.wall), 2), number(medianRatio(rows[0].cpu, r.cpu), 2))
	}
}
