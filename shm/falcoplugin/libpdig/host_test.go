package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/convert"
	"github.com/pdig/pdig/shm"
)

var volume = flag.Uint64("volume", 1e7, "how many events go through the library under the memory checker")

var patience = flag.Duration("patience", 2*time.Minute, "how long a host may take")

var prebuilt = flag.String("prebuilt", "", "the `directory` with libpdig.so and host, instead of building them")

// The library and two hosts, of which one checks its memory, built once.
var library, plainHost, checkedHost string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "libpdig-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	library, plainHost, checkedHost = filepath.Join(dir, "libpdig.so"), filepath.Join(dir, "host"), filepath.Join(dir, "checked")
	if *prebuilt != "" {
		library, plainHost = filepath.Join(*prebuilt, "libpdig.so"), filepath.Join(*prebuilt, "host")
		checkedHost = plainHost
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var built = sync.OnceValue(func() error {
	if *prebuilt != "" {
		return nil
	}
	for _, c := range []*exec.Cmd{
		exec.Command("gcc", "-O1", "-pthread", "-Wall", "-Wextra", "-Werror", "-o", plainHost, "testdata/host.c"),
		exec.Command("gcc", "-O1", "-pthread", "-g", "-fsanitize=address", "-o", checkedHost, "testdata/host.c"),
		exec.Command("go", "build", "-buildvcs=false", "-tags", "netgo,osusergo", "-buildmode=c-shared", "-o", library, "."),
	} {
		c.Env = append(os.Environ(), "CGO_ENABLED=1")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", c.Args, err, out)
		}
	}
	return nil
})

// need builds what the tests run.
func need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil && *prebuilt == "" {
		t.Skip("needs gcc")
	}
	if err := built(); err != nil {
		t.Fatal(err)
	}
}

// shared is a directory in memory.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "libpdig-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// host is a running host.
type host struct {
	t     testing.TB
	cmd   *exec.Cmd
	out   *bufio.Scanner
	errs  strings.Builder
	ended bool
}

// start runs a host; one that reads has opened its ring then.
func start(t testing.TB, program, mode, config string, params ...string) *host {
	t.Helper()
	need(t)
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	t.Cleanup(cancel)
	h := &host{t: t, cmd: exec.CommandContext(ctx, program, append([]string{library, mode, config}, params...)...)}
	h.cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=1")
	h.cmd.Stderr = &h.errs
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !h.ended {
			_ = h.cmd.Process.Kill()
			_ = h.cmd.Wait()
		}
	})
	h.out = bufio.NewScanner(out)
	if mode != "orders" {
		h.expect("open")
	}
	return h
}

func (h *host) line() string {
	h.t.Helper()
	if !h.out.Scan() {
		err := h.cmd.Wait()
		h.ended = true
		h.t.Fatalf("the host has ended: %v: %s", err, &h.errs)
	}
	return h.out.Text()
}

func (h *host) expect(want string) {
	h.t.Helper()
	if got := h.line(); got != want {
		h.t.Fatalf("got %q, want %q", got, want)
	}
}

// event returns the next line that is about no tracer.
func (h *host) event() string {
	h.t.Helper()
	for {
		if line := h.line(); !strings.HasPrefix(line, "402 ") {
			return line
		}
	}
}

// end asks the host to end and returns what the plugin has counted.
func (h *host) end() map[string]uint64 {
	h.t.Helper()
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	return h.wait()
}

// wait is end for a host that ends by itself.
func (h *host) wait() map[string]uint64 {
	h.t.Helper()
	metrics := map[string]uint64{}
	for h.out.Scan() {
		name, value, _ := strings.Cut(h.out.Text(), "=")
		metrics[name], _ = strconv.ParseUint(value, 10, 64)
	}
	err := h.cmd.Wait()
	h.ended = true
	if err != nil || h.errs.Len() > 0 {
		h.t.Errorf("the host: %v: %s", err, &h.errs)
	}
	return metrics
}

// producer writes a ring, and drops nothing.
func producer(t testing.TB, prefix string) *shm.Producer {
	t.Helper()
	p, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: prefix}, Block: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if !p.Active() {
		t.Fatal("nobody reads the ring")
	}
	return p
}

func write(t testing.TB, p *shm.Producer, rec []byte) {
	t.Helper()
	if !p.Write(rec, shm.Normal) {
		t.Fatal("a record is not written")
	}
}

// printed is the line of the host for a record.
func printed(rec []byte, object, ring string) string {
	h := fnv.New64a()
	_, _ = h.Write(rec)
	var v event.View
	if err := v.Parse(rec); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %d %d %016x %s %s", v.Type(), v.TID(), len(rec), h.Sum64(), object, ring)
}

// script is what programs do.
var script = []string{
	"5 > openat dirfd=-100 name=/etc/passwd flags=1",
	"5 < openat+ fd=3 dirfd=-100 name=/etc/passwd flags=1",
	"5 > read fd=3 size=100",
	"5 < read res=4 data=root",
	"6 > close fd=9",
	"5 > close fd=3",
	"6 < close res=0",
	"5 < close res=0",
	"7 > nanosleep interval=10",
	"7 < nanosleep res=0",
	"7 > execve filename=/bin/true",
	"7 < execve+ res=0 exe=/bin/true comm=true",
	"5 < read+ res=4 data=root fd=3 size=100",
}

func records(t testing.TB) (recs [][]byte) {
	t.Helper()
	var e event.Encoder
	for i, line := range script {
		rec, err := testrecord.Line(&e, uint64(1e18+i), line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		recs = append(recs, slices.Clone(rec))
	}
	return recs
}

// TestPrinted: a host gets the records byte by byte: those that the sensor would
// show as one event of a call, or as they are.
func TestPrinted(t *testing.T) {
	for name, row := range map[string]struct {
		mode, schema string
		exits        bool
	}{
		"modern host": {"print", "auto", true},
		"old host":    {"old", "auto", false},
		"newest":      {"old", "newest", true},
		"404":         {"print", "404", false},
	} {
		t.Run(name, func(t *testing.T) {
			need(t)
			ring := filepath.Join(shared(t), "one")
			h := start(t, checkedHost, row.mode, `{"schema":"`+row.schema+`"}`, ring)
			p := producer(t, ring)
			fold := convert.New()
			var want, got []string
			for _, rec := range records(t) {
				write(t, p, rec)
				if row.exits {
					var v event.View
					if err := v.Parse(rec); err != nil {
						t.Fatal(err)
					}
					rec = fold.Convert(&v, 0, false).Record
				}
				if rec != nil {
					want = append(want, printed(rec, "-", "one"))
				}
			}
			for range want {
				got = append(got, h.event())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			m := h.end()
			if n := uint64(len(script)); m["seen"] != n || m["delivered"] != n || m["lost"] != 0 {
				t.Errorf("metrics %v, want %d seen and delivered", m, n)
			}
		})
	}
}

// TestOrders: whatever order a host calls in, it gets errors and not memory of
// others.
func TestOrders(t *testing.T) {
	dir := shared(t)
	h := start(t, checkedHost, "orders", "", filepath.Join(dir, "one"), filepath.Join(dir, "two"))
	h.expect("done")
	h.wait()
}

// TestVolume: many events under the memory checker.
func TestVolume(t *testing.T) {
	n := *volume
	if testing.Short() {
		n = 1e5
	}
	ring := filepath.Join(shared(t), "one")
	h := start(t, checkedHost, "count", "", ring, strconv.FormatUint(n, 10))
	feed(t, producer(t, ring), n)
	t.Log(h.line())
	h.wait()
}

// feed writes calls until n events have come of them.
func feed(t testing.TB, p *shm.Producer, n uint64) {
	t.Helper()
	all := records(t)
	enter, exit := all[2], all[len(all)-1] // as pdig writes them for a reader of ours
	for range n {
		write(t, p, enter)
		write(t, p, exit)
	}
}

// BenchmarkCall is what the library takes for a read call, in the time of the
// processor, through the interface of plugins.
func BenchmarkCall(b *testing.B) {
	for _, schema := range []string{"newest", "404"} {
		b.Run(schema, func(b *testing.B) {
			ring := filepath.Join(shared(b), "one")
			const events = 1e6
			for b.Loop() {
				h := start(b, plainHost, "count", `{"schema":"`+schema+`"}`, ring, strconv.Itoa(events))
				p := producer(b, ring)
				feed(b, p, events/2) // with both halves, that is as many events
				if schema == "newest" {
					feed(b, p, events/2)
				}
				var n, ns float64
				var sum string
				if _, err := fmt.Sscanf(h.line(), "%g events %g ns %s", &n, &ns, &sum); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(n/ns*1000, "Mevents/s")
				h.wait()
				_ = p.Close()
			}
		})
	}
}

// TestHostile: the corpus of package shm, and then records whose parameters are
// none. The host, which reads every byte of what it gets, is there for the next.
func TestHostile(t *testing.T) {
	need(t)
	ring := filepath.Join(shared(t), "one")
	h := start(t, checkedHost, "print", `{"schema":"404"}`, ring)
	p := producer(t, ring)
	files, err := filepath.Glob("../../testdata/hostile/*")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files of hostile bytes: %v", len(files), err)
	}
	mark := uint64(1e6)
	for _, file := range files {
		hostile, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw(t, ring, hostile)
		mark++
		h.marked(t, p, mark)
	}
	for _, rec := range records(t) {
		for at := event.HeaderSize; at < len(rec); at++ {
			for _, b := range []byte{0, 1, 0x7f, 0xff} {
				bad := slices.Clone(rec)
				bad[at] = b
				write(t, p, bad)
			}
		}
		mark++
		h.marked(t, p, mark)
	}
	if m := h.end(); m["lost"] == 0 || m["lost_corrupt"] == 0 {
		t.Errorf("nothing is counted: %v", m)
	}
}

// marked writes a good record with a thread of its own until it has come: where
// others are given up, those of the same batch are.
func (h *host) marked(t *testing.T, p *shm.Producer, mark uint64) {
	t.Helper()
	rec := slices.Clone(records(t)[7])
	binary.NativeEndian.PutUint64(rec[8:], mark)
	want := printed(rec, "-", "one")
	seen, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			p.Write(rec, shm.Normal)
			select {
			case <-seen:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	defer func() { <-done }()
	defer close(seen)
	for h.line() != want {
	}
}

// raw puts bytes into a ring as a producer would that means harm.
func raw(t *testing.T, prefix string, b []byte) {
	t.Helper()
	buf, err := os.OpenFile(prefix+"_buf", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer buf.Close()
	descs, err := os.OpenFile(prefix+"_descs", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer descs.Close()
	var word [4]byte
	_, err = descs.ReadAt(word[:], 0)
	head := binary.NativeEndian.Uint32(word[:])
	_, err2 := buf.WriteAt(b, int64(head))
	binary.NativeEndian.PutUint32(word[:], head+uint32(len(b)))
	_, err3 := descs.WriteAt(word[:], 0)
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
}

// TestTruth: the record of a truth is consumed, and its parts are fields.
func TestTruth(t *testing.T) {
	need(t)
	ring := filepath.Join(shared(t), "one")
	h := start(t, checkedHost, "print", "", ring)
	p := producer(t, ring)
	rec := records(t)[1]
	var v event.View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	var e event.Encoder
	e.Begin(v.Time(), v.TID(), v.Type(), v.NumParams())
	for i := range v.NumParams() {
		e.Bytes(v.Param(i))
	}
	whole, err := e.EndWith(&event.Truth{Object: []byte("/etc/shadow"), Mismatch: event.OtherObject})
	if err != nil {
		t.Fatal(err)
	}
	write(t, p, whole)
	if got, want := h.event(), printed(rec, "/etc/shadow", "one"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	h.end()
}

// TestDirectory: rings of a directory come in the order of their times, those that
// were there and those that come; one that is removed is given up.
func TestDirectory(t *testing.T) {
	need(t)
	dir := shared(t)
	first := filepath.Join(dir, "first")
	begun, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: first}, Block: true})
	if err != nil {
		t.Fatal(err)
	}
	defer begun.Close()
	h := start(t, checkedHost, "print", `{"schema":"404"}`, dir+"/")
	second := filepath.Join(dir, "second")
	p, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: second}, Block: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, x := range []*shm.Producer{begun, p} {
		for wait := time.Now(); !x.Active(); time.Sleep(10 * time.Millisecond) {
			if time.Since(wait) > 20*time.Second {
				t.Fatal("a ring is not read")
			}
		}
	}
	recs := records(t)
	var want, got []string
	for i, rec := range recs {
		// Only what has the time of its writing is in order whenever the host looks.
		binary.NativeEndian.PutUint64(rec, uint64(time.Now().UnixNano()))
		write(t, []*shm.Producer{begun, p}[i%2], rec)
		want = append(want, printed(rec, "-", []string{"first", "second"}[i%2]))
	}
	for range recs {
		got = append(got, h.event())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if err := errors.Join(os.Remove(first+"_buf"), os.Remove(first+"_descs")); err != nil {
		t.Fatal(err)
	}
	write(t, p, recs[0])
	if got, want := h.event(), printed(recs[0], "-", "second"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if m := h.end(); m["delivered"] != uint64(len(recs))+1 || m["lost"] != 0 {
		t.Errorf("metrics %v", m)
	}
}

// TestTracers: a host hears of tracers that come and go, and of no other event.
func TestTracers(t *testing.T) {
	need(t)
	ring := filepath.Join(shared(t), "one")
	h := start(t, checkedHost, "print", "", ring)
	for range 2 {
		p := producer(t, ring)
		if line := h.line(); !strings.HasPrefix(line, "402 -1 ") {
			t.Fatalf("got %q, want that a tracer has come", line)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if line := h.line(); !strings.HasPrefix(line, "402 -1 ") {
			t.Fatalf("got %q, want that a tracer has gone", line)
		}
	}
	// One that takes the place of the objects finds a reader there as well.
	if err := errors.Join(os.Remove(ring+"_buf"), os.Remove(ring+"_descs")); err != nil {
		t.Fatal(err)
	}
	if line := h.line(); !strings.HasPrefix(line, "402 -1 ") {
		t.Fatalf("got %q, want that the ring was made anew", line)
	}
	p := producer(t, ring)
	rec := records(t)[8:10]
	write(t, p, rec[0])
	write(t, p, rec[1])
	if line := h.event(); !strings.Contains(line, " 7 ") {
		t.Errorf("got %q, want the call of thread 7", line)
	}
	h.end()
}
