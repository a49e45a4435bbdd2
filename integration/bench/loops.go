package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/pdig/pdig/syscalls"
)

// loop is something that is done over and over.
type loop struct {
	title  string
	work   work
	n      int    // turns, at scale 1
	strace string // its -e trace=
	pdig   string // its -e
	floor  string // what programs/floor.c traces; empty: it is not run
	events int    // that pdig makes of one turn, at least
}

// processCalls are those of pdig's level exec, and floorProcess as many of them
// as the floor knows.
const (
	processCalls = "clone,clone3,?fork,?vfork,execve,execveat,exit,exit_group"
	floorProcess = "clone,clone3,fork,vfork,execve,execveat,exit,exit_group"
)

var loops = []loop{
	{title: "openat+close", work: mode("openclose"), n: 20_000, strace: "openat,close", pdig: "openat,close", floor: "openat,close", events: 4},
	{title: "read of 64 bytes", work: mode("read"), n: 20_000, strace: "read", pdig: "read", floor: "read", events: 2},
	{title: "write of 64 bytes", work: mode("write"), n: 20_000, strace: "write", pdig: "write", floor: "write", events: 2},
	{title: "newfstatat", work: mode("stat"), n: 20_000, strace: "newfstatat", pdig: "newfstatat", floor: "newfstatat", events: 2},
	// Two halves of clone in the parent, one in the child; two of execve; the
	// enter half of exit_group; the end of the process.
	{title: "fork+exec", work: mode("forkexec"), n: 1000, strace: processCalls, pdig: "exec", floor: floorProcess, events: 7},
	{title: "posix_spawn", work: mode("spawn"), n: 1000, strace: processCalls, pdig: "exec", floor: floorProcess, events: 7},
	// As a fork+exec, without the exec.
	{title: "end of a process, until its parent has collected it", work: mode("end"), n: 1000, strace: processCalls, pdig: "exec", floor: floorProcess, events: 5},
	// The halves of clone3, the child's, exit, the end of the thread.
	{title: "thread create+join", work: mode("thread"), n: 3000, strace: processCalls, pdig: "exec", floor: floorProcess, events: 5},
	{title: "getppid, which nobody traces", work: mode("getppid"), n: 1_000_000, strace: "openat,close", pdig: "openat,close", floor: "openat,close"},

	{title: "find /usr/share, -e io", work: program{"find", "/usr/share", "-size", "+1M"}, n: 1, strace: callsOf(syscalls.LevelIO), pdig: "io", events: 1000},
	{title: "tar of /usr/include, -e io", work: program{"tar", "cf", "DIR/tar", "/usr/include"}, n: 1, strace: callsOf(syscalls.LevelIO), pdig: "io", events: 1000},
	// -D has no effect but to make the packages of the module be compiled again.
	{title: "go build of the sensor, -e security", work: program{"go", "build", "-gcflags=github.com/pdig/pdig/...=-D=/ROUND", "-o", "DIR/built", "./cmd/sensor"},
		n: 1, strace: callsOf(syscalls.LevelSecurity), pdig: "security", events: 1000},
	{title: "redis, 50 clients, -e security", work: redis, n: 50_000, strace: callsOf(syscalls.LevelSecurity), pdig: "security"},
	{title: "redis, 50 clients, -e io", work: redis, n: 10_000, strace: callsOf(syscalls.LevelIO), pdig: "io", events: 1},
	{title: "nginx, 20 clients, -e security", work: nginx, n: 10_000, strace: callsOf(syscalls.LevelSecurity), pdig: "security", events: 4},
	{title: "nginx, 20 clients, -e io", work: nginx, n: 5_000, strace: callsOf(syscalls.LevelIO), pdig: "io", events: 4},
}

var (
	redis = server{
		argv: []string{"redis-server", "--port", "PORT", "--save", "", "--dir", "DIR"},
		load: []string{"redis-benchmark", "-p", "PORT", "-n", "COUNT", "-t", "set", "-q"},
	}
	nginx = server{
		argv: []string{"nginx", "-p", "DIR", "-e", "stderr", "-c", "nginx.conf"},
		load: []string{"ab", "-q", "-c", "20", "-n", "COUNT", "http://127.0.0.1:PORT/page"},
		files: map[string]string{
			"page": "a page\n",
			"nginx.conf": `daemon off; user root; worker_processes 1; pid DIR/pid;
events { }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	server { listen 127.0.0.1:PORT; root DIR; }
}
`,
		},
	}
)

// callsOf is what strace has to trace for the events of a level. Some of the
// calls have not been heard of by every strace.
func callsOf(l syscalls.Level) string {
	var names []string
	for i := range syscalls.Calls {
		if c := &syscalls.Calls[i]; c.Level <= l {
			names = append(names, "?"+c.Name)
		}
	}
	return strings.Join(names, ",")
}

func (l loop) turns(scale float64) int { return max(1, int(math.Round(float64(l.n)*scale))) }

// missing is a program that the loop needs and that is not installed, or empty.
func (l loop) missing() string {
	for _, name := range l.work.needs() {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
	}
	return ""
}

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
	ring := t.dir + "/ring"
	pdig := []string{t.pdig, "--ring", ring, "-e", l.pdig, "--"}
	list := []variant{
		{name: native},
		{name: straceFree, prefix: strace},
		{name: straceOneCPU, prefix: strace, oneCPU: true},
	}
	if l.floor != "" {
		floor := []string{t.floor, l.floor}
		list = append(list, variant{name: "C floor", prefix: floor}, variant{name: "C floor, one CPU", prefix: floor, oneCPU: true})
	}
	return append(list,
		variant{name: "pdig, sensor attached", prefix: pdig, sensor: true, ring: ring},
		variant{name: "pdig, one CPU, sensor attached", prefix: pdig, oneCPU: true, sensor: true, ring: ring})
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
