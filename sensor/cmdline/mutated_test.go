package cmdline

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
)

var (
	mutations = flag.Int("mutations", 300, "how many damaged captures are read")
	seedFiles = flag.String("captures", "", "a `PATTERN` of capture files that are damaged, too")
)

// TestMutatedCaptures reads captures that were damaged: nothing but an error
// with the place, or none, may come of it.
func TestMutatedCaptures(t *testing.T) {
	dir := t.TempDir()
	seeds := seedCaptures(t, dir)
	path := filepath.Join(dir, "mutated")
	random := rand.New(rand.NewPCG(1, 2))
	failed := 0
	runtime.GC() // what the tests before have left is none of these
	for i := range *mutations {
		b := slices.Clone(seeds[i%len(seeds)])
		how := ""
		for range 1 + random.IntN(3) {
			var what string
			b, what = mutate(random, b, seeds)
			how += what + " "
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"-r", path, "-w", filepath.Join(dir, "again"), "-o", "/dev/null", "--log-level", "error"}
		switch i % 3 {
		case 1:
			args = []string{"-r", path, "-q", "fd.name contains x or proc.aname = y"}
		case 2:
			args = []string{"-r", path, "-o", "/dev/null", "-j", "--style", "newest"}
		}
		began := time.Now()
		status, _, stderr := runWith(args...)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%d: %s: it took %v", i, how, took)
		}
		words := strings.Count(stderr, "sensor: ")
		if status == statusFailed {
			failed++
		}
		if status == statusFailed && (words != 1 || !strings.Contains(stderr, "offset ")) || status == 0 && words != 0 || status > statusFailed {
			t.Errorf("%d: %s: got status %d, %q, want an offset in one line", i, how, status, stderr)
		}
		if heap := heapMiB(); heap > 512 {
			t.Fatalf("%d: %s: the heap has %d MiB", i, how, heap)
		}
	}
	if failed == 0 || failed == *mutations {
		t.Errorf("%d of %d are faulty, want some", failed, *mutations)
	}
	t.Logf("%d of %d damaged captures are faulty", failed, *mutations)
}

func heapMiB() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() >> 20
}

// seedCaptures are whole files, plain and packed, of all versions.
func seedCaptures(t *testing.T, dir string) [][]byte {
	path := filepath.Join(dir, "seed")
	writeCapture(t, path, 20)
	paths := []string{path, "../capture/testdata/everything.scap"}
	if *seedFiles != "" {
		more, err := filepath.Glob(*seedFiles)
		if err != nil || len(more) == 0 {
			t.Fatalf("-captures: %v, %q", err, more)
		}
		paths = append(paths, more...)
	}
	// What this machine runs, as its list.
	own := filepath.Join(dir, "own")
	p := program{options: newOptions(), table: living(event.Sysdig)}
	f, err := capture.Create(capture.FilesConfig{Path: own, Begin: p.begin})
	if err != nil {
		t.Fatal(err)
	}
	rec := readRecord(t, 1)
	if err := f.Begin(1, rec); err != nil {
		t.Fatal(err)
	}
	if err := f.Event(0, false, rec); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var seeds [][]byte
	for _, path := range append(paths, own) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, b, b, b, packed.Bytes())
	}
	return seeds
}

// mutate damages a file somewhere and says how.
func mutate(random *rand.Rand, b []byte, seeds [][]byte) ([]byte, string) {
	if len(b) < 16 {
		return b, "short"
	}
	at := random.IntN(len(b) - 8)
	if random.IntN(2) == 0 {
		at = min(at, random.IntN(256)) // headers
	}
	switch kind := random.IntN(8); kind {
	case 0:
		return b[:at], fmt.Sprintf("cut at %d", at)
	case 1:
		b[at] ^= 1 << random.IntN(8)
		return b, fmt.Sprintf("bit of %d", at)
	case 2, 3, 4:
		huge := []uint64{^uint64(0), 0x7fffffffffffffff, 0xffffffff, 0x7fffffff, 0xffff, 0x8000, 0}
		v := huge[random.IntN(len(huge))]
		at &^= 1
		switch kind {
		case 2:
			binary.NativeEndian.PutUint16(b[at:], uint16(v))
		case 3:
			binary.NativeEndian.PutUint32(b[at&^3:], uint32(v))
		default:
			binary.NativeEndian.PutUint64(b[at:], v)
		}
		return b, fmt.Sprintf("%#x at %d", v, at)
	case 5:
		n := min(1+random.IntN(64), len(b)-at)
		return slices.Delete(b, at, at+n), fmt.Sprintf("%d less at %d", n, at)
	case 6:
		n := min(1+random.IntN(256), len(b)-at)
		return slices.Insert(b, at, slices.Clone(b[at:at+n])...), fmt.Sprintf("%d twice at %d", n, at)
	default:
		other := seeds[random.IntN(len(seeds))]
		from := random.IntN(len(other))
		n := copy(b[at:], other[from:min(len(other), from+1+random.IntN(512))])
		return b, fmt.Sprintf("%d others at %d", n, at)
	}
}
