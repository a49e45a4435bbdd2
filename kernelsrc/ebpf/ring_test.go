package ebpf

import (
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/kernelsrc"
	"github.com/pdig/pdig/syscalls"
)

// newDouble makes a ring in a memfd: a double, no kernel writes to it.
func newDouble(t *testing.T, size int) *ring {
	t.Helper()
	page := os.Getpagesize()
	fd, err := unix.MemfdCreate("ring", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, int64(page+size)); err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(fd, 0, page+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	r := newRing(&Driver{}, fd, 0, b, page)
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// write writes a record as the kernel does, if there is room.
func write(r *ring, typ uint32, data []byte) bool {
	size := (sampleHeader + len(data) + 7) &^ 7
	if r.head.Load()-r.tail.Load()+uint64(size) > uint64(len(r.b)) {
		return false
	}
	rec := make([]byte, size)
	binary.NativeEndian.PutUint32(rec, typ)
	binary.NativeEndian.PutUint16(rec[6:], uint16(size))
	binary.NativeEndian.PutUint32(rec[8:], uint32(size-sampleHeader))
	copy(rec[sampleHeader:], data)
	for i, x := range rec {
		r.b[(r.head.Load()+uint64(i))%uint64(len(r.b))] = x
	}
	r.head.Add(uint64(size))
	return true
}

func take(r *ring) (times []uint64) {
	r.Load()
	for rec := r.Peek(); rec != nil; rec = r.Peek() {
		times = append(times, event.Time(rec))
		r.Take()
	}
	return times
}

// TestWrap: every record arrives whole, wherever it wraps, and its room comes back.
func TestWrap(t *testing.T) {
	r := newDouble(t, 1<<12)
	next, read := uint64(1), uint64(1)
	for range 500 {
		for write(r, recordSample, testrecord.Make(t, next, 7, syscalls.GenericE, 5, 39)) {
			next++
			if next%7 == 0 && !write(r, 2, make([]byte, 12)) { // losses
				break
			}
		}
		for _, ts := range take(r) {
			if ts != read {
				t.Fatalf("got %d, want %d", ts, read)
			}
			read++
		}
		r.Load()
		if r.tail.Load() != r.head.Load() {
			t.Fatalf("tail %d, head %d", r.tail.Load(), r.head.Load())
		}
	}
	if read != next || r.d.bad.Corrupt != 0 || r.wrapped == nil {
		t.Errorf("read %d of %d, %+v, wrapped %v", read, next, r.d.bad, r.wrapped != nil)
	}
}

// TestBadRecords: what is no record is counted, and what follows is found if it can
// be.
func TestBadRecords(t *testing.T) {
	good := testrecord.Make(t, 9, 7, syscalls.GenericE, 5, 39)
	for name, bad := range map[string]func(r *ring){
		"short event": func(r *ring) { write(r, recordSample, make([]byte, 4)) },
		"raw size": func(r *ring) {
			at := r.head.Load()
			write(r, recordSample, good)
			binary.NativeEndian.PutUint32(r.b[at+8:], 1<<30)
		},
		"event length": func(r *ring) {
			b := append([]byte(nil), good...)
			b[16], b[17] = 0xff, 0xff
			write(r, recordSample, b)
		},
		"size 0": func(r *ring) {
			at := r.head.Load()
			write(r, recordSample, good)
			binary.NativeEndian.PutUint16(r.b[at+6:], 0)
		},
		"head": func(r *ring) { r.head.Add(1 << 40) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newDouble(t, 1<<12)
			bad(r)
			if got := take(r); len(got) != 0 || r.d.bad.Corrupt != 1 {
				t.Errorf("%v, %+v", got, r.d.bad)
			}
			r.Load()
			write(r, recordSample, good)
			if got := take(r); len(got) != 1 || got[0] != 9 {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestHotplug: a CPU without a ring is noted once, and not again when records of before
// it got one are read.
func TestHotplug(t *testing.T) {
	r := newDouble(t, 1<<12)
	for _, row := range []struct {
		opened uint64 // of the ring of CPU 1
		want   []int
	}{{0, []int{1}}, {4, []int{1}}, {5, nil}} {
		r.d.came = nil
		r.d.rings = []*ring{{cpu: 1, opened: row.opened}}
		for range 2 {
			write(r, recordSample, testrecord.Make(t, 5, 7, kernelsrc.TypeHotplug, 1, 0))
		}
		if got := take(r); len(got) != 2 || !slices.Equal(r.d.came, row.want) {
			t.Errorf("ring of %d: %v, came %v, want %v", row.opened, got, r.d.came, row.want)
		}
	}
}
