package shm

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// raw puts bytes into the ring as a producer would that means harm.
func raw(c *Consumer, b []byte) {
	head := c.head.Load()
	copyIn(c.data, head, b)
	c.head.Store(advance(head, uint32(len(b)), c.size))
}

func with(rec []byte, change func(b []byte)) []byte {
	b := slices.Clone(rec)
	change(b)
	return b
}

func length(n uint32) func([]byte) {
	return func(b []byte) { binary.NativeEndian.PutUint32(b[offLen:], n) }
}

var update = flag.Bool("update", false, "write the hostile bytes into the test data")

// corpus holds the file of hostile bytes, by which other readers of rings are tried
// too, to those that are tried here. Its name says how many records arrive.
func corpus(t *testing.T, name string, want int, bytes []byte) {
	t.Helper()
	file := filepath.Join("testdata", "hostile", fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), want))
	if *update {
		must(t, os.WriteFile(file, bytes, 0o666))
	}
	got, err := os.ReadFile(file)
	must(t, err)
	if !slices.Equal(got, bytes) {
		t.Errorf("%s is not what is tried here: run with -update", file)
	}
}

// TestHostile: whatever stands in the ring, the reader gets on, and the records
// of the next batch.
func TestHostile(t *testing.T) {
	good := record(1, 1, 60)
	join := func(recs ...[]byte) []byte { return slices.Concat(recs...) }
	for name, tt := range map[string]struct {
		bytes []byte
		want  int // records of the batch that arrive
		cause event.Cause
		lost  uint64
	}{
		"length 0":                    {join(good, with(good, length(0)), good), 1, event.CauseCorrupt, 1},
		"length 1":                    {join(good, with(good, length(1)), good), 1, event.CauseCorrupt, 1},
		"shorter than a header":       {join(good, with(good, length(25)), good), 1, event.CauseCorrupt, 1},
		"into the next record":        {join(good, with(good, length(61)), good), 2, event.CauseCorrupt, 1},
		"behind the batch":            {join(good, with(good, length(121))), 1, event.CauseCorrupt, 1},
		"behind the ring":             {join(good, with(good, length(smallRing+1))), 1, event.CauseCorrupt, 1},
		"longer than a record may be": {join(good, with(good, length(event.MaxSize+1)), good), 1, event.CauseCorrupt, 1},
		"length all ones":             {join(good, with(good, length(math.MaxUint32)), good), 1, event.CauseCorrupt, 1},
		"half a header":               {join(good, good[:13]), 1, event.CauseCorrupt, 1},
		"half a record":               {join(good, good[:50]), 1, event.CauseCorrupt, 1},
		"one byte":                    {[]byte{1}, 0, event.CauseCorrupt, 1},
		"zeros":                       {make([]byte, 5000), 0, event.CauseCorrupt, 1},
		"unknown type":                {join(good, with(good, func(b []byte) { b[offType], b[offType+1] = 0xff, 0xff }), good), 2, event.CauseUnknown, 1},
		"the first unknown type": {join(good, with(good, func(b []byte) {
			binary.NativeEndian.PutUint16(b[offType:], syscalls.NumEvents)
		}), good), 2, event.CauseUnknown, 1},
		"the last known type": {join(good, with(good, func(b []byte) {
			binary.NativeEndian.PutUint16(b[offType:], syscalls.NumEvents-1)
		}), good), 3, event.CauseUnknown, 0},
		"no time": {join(good, with(good, func(b []byte) {
			binary.NativeEndian.PutUint64(b, math.MaxUint64)
		}), good), 2, event.CauseCorrupt, 1},
		"too many parameters": {join(good, with(good, func(b []byte) {
			binary.NativeEndian.PutUint32(b[offParams:], 18) // 17 lengths have room
		}), good), 2, event.CauseCorrupt, 1},
		"all the parameters that have room": {join(good, with(good, func(b []byte) {
			binary.NativeEndian.PutUint32(b[offParams:], 17)
		}), good), 3, event.CauseCorrupt, 0},
		"parameters all ones": {join(good, with(good, func(b []byte) {
			binary.NativeEndian.PutUint32(b[offParams:], math.MaxUint32)
		}), good), 2, event.CauseCorrupt, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it mostly waits
			corpus(t, name, tt.want, tt.bytes)
			c, p := newPair(t, small(testRing(t)))
			p.Active()
			raw(c, tt.bytes)
			if got := len(drain(t, c)); got != tt.want {
				t.Errorf("%d records, want %d", got, tt.want)
			}
			if diff := cmp.Diff(lostOnly(tt.cause, tt.lost), c.Stats().Lost); diff != "" {
				t.Errorf("lost: want -, got +:\n%s", diff)
			}
			if !p.Write(good, Normal) {
				t.Fatal("the next record is not written")
			}
			if got := drain(t, c); len(got) != 1 || string(got[0]) != string(good) {
				t.Errorf("the next batch: got %x, want %x", got, good)
			}
			checkSum(t, c.Stats())
		})
	}
}

// TestHostileCursors: a cursor outside of the ring is no reason to read or
// write there, nor to stay awake.
func TestHostileCursors(t *testing.T) {
	for _, bad := range []uint32{smallRing, smallRing + 1, 1 << 31, math.MaxUint32} {
		c, p := newPair(t, small(testRing(t)))
		p.Write(record(1, 1, 60), Normal)
		drain(t, c)

		p.head.Store(bad)
		if p.Write(record(1, 2, 60), Vital) {
			t.Errorf("written at head %d", bad)
		}
		drain(t, c) // repairs it
		if !p.Write(record(1, 3, 60), Normal) || len(drain(t, c)) != 1 {
			t.Errorf("nothing goes through after head %d", bad)
		}
		p.tail.Store(bad)
		if p.Write(record(1, 4, 60), Vital) {
			t.Errorf("written with tail %d", bad)
		}
		drain(t, c)
		if !p.Write(record(1, 5, 60), Normal) || len(drain(t, c)) != 1 {
			t.Errorf("nothing goes through after tail %d", bad)
		}
		s := c.Stats()
		// A machine that is too busy to look at the reader in time has the four
		// counted without their cause.
		if n := s.Lost[event.CauseRing] + s.Lost[event.CauseRingFull]; n != 4 || s.LostTotal() != n {
			t.Errorf("%d: lost %v, want 4 for the ring's sake", bad, s.Lost)
		}
		checkSum(t, s)

		// Somebody writes it again and again.
		begin, looks := time.Now(), 0
		for time.Since(begin) < 100*time.Millisecond {
			c.head.Store(bad)
			if _, err := c.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			looks++
		}
		if looks > 100 {
			t.Errorf("%d looks in 0.1 s at a head of %d", looks, bad)
		}
	}
}

// TestHostileCounters: numbers that go back, or too far, are odd, and the sums
// stay right.
func TestHostileCounters(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	for seq := range uint64(10) {
		p.Write(record(1, seq, 60), Normal)
	}
	drain(t, c)
	p.evts.Store(3)
	drain(t, c)
	p.full.Store(math.MaxUint64)
	drain(t, c)
	p.lost[event.CauseLock].Store(1000) // of none that are lost
	drain(t, c)
	p.evts.Add(5)
	p.full.Store(1)
	s := c.Stats()
	want := event.Stats{Seen: 15, Delivered: 10}
	want.Lost[event.CauseCounter] = 2
	want.Lost[event.CauseLock] = 2
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestChangesWhileRead: what Next has returned is out of the producer's reach.
func TestChangesWhileRead(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	want := record(1, 1, 60)
	p.Write(want, Normal)
	rec, err := next(c)
	must(t, err)
	for i := range p.data {
		p.data[i] = 0xff
	}
	if string(rec) != string(want) {
		t.Errorf("got %x, want %x", rec, want)
	}
}

// TestTouch: a reader finds out that a ring was cut off although nobody writes it.
func TestTouch(t *testing.T) {
	for _, object := range []string{"_buf", "_descs"} {
		cfg := small(testRing(t))
		c, p := newPair(t, cfg)
		p.Write(record(1, 7, 60), Normal)
		c.Touch()
		if _, err := next(c); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		must(t, os.Truncate(cfg.Prefix+object, 0))
		c.Touch()
		if _, err := c.Poll(); !errors.Is(err, ErrCut) {
			t.Errorf("%s: got %v, want ErrCut", object, err)
		}
	}
}

// TestCut cuts the objects under both ends. It is the end of the ring, and of
// nothing else; a new one in its place is found.
func TestCut(t *testing.T) {
	for _, object := range []string{"_buf", "_descs"} {
		for _, size := range []int64{0, 4096} {
			if object == "_descs" && size > 0 {
				continue // the page is still there
			}
			cfg := small(testRing(t))
			c, p := newPair(t, cfg)
			p.Active()
			for range 3 { // of these nobody gets more than the count
				p.Write(record(1, 1, 60), Normal)
			}
			if s := c.Stats(); s.Seen != 3 {
				t.Errorf("%s, %d bytes: %+v", object, size, s)
			}
			p.head.Store(5000)
			c.pos, c.end, c.freed = 5000, 5000, 5000
			p.tail.Store(5000)
			must(t, os.Truncate(cfg.Prefix+object, size))
			if p.Write(record(1, 1, 60), Normal) {
				t.Errorf("%s, %d bytes: written", object, size)
			}
			if object == "_buf" && p.lock.Load() != 0 {
				t.Errorf("%s, %d bytes: the lock is held", object, size)
			}
			if p.Active() || p.Write(record(1, 1, 60), Normal) || p.Snaplen() != defaultSnaplen {
				t.Errorf("%s, %d bytes: still active", object, size)
			}
			p.Count(event.CauseEncode)
			if object == "_buf" {
				c.head.Store(6000) // somebody has published there
			}
			for range 2 {
				if _, err := next(c); !errors.Is(err, ErrCut) {
					t.Errorf("%s, %d bytes: got %v, want ErrCut", object, size, err)
				}
			}
			c.Stats()
			must(t, c.Close())
			if s := c.Stats(); s.Seen < 3 || s.Seen != s.Delivered+s.LostTotal() {
				t.Errorf("%s, %d bytes: not all that were seen are delivered or lost: %+v", object, size, s)
			}

			// The same names stand for a new ring.
			must(t, errors.Join(os.Remove(cfg.Prefix+"_buf"), os.Remove(cfg.Prefix+"_descs")))
			p.lookNow.Store(true)
			if p.Active() {
				t.Errorf("%s, %d bytes: active without a ring", object, size)
			}
			c = newConsumer(t, cfg)
			p.lookNow.Store(true) // as the pulse does
			if !p.Active() || !p.Write(record(1, 7, 60), Normal) {
				t.Errorf("%s, %d bytes: the new ring is not written", object, size)
			}
			if _, err := next(c); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestEmptied: a producer does not wait for the objects of a ring that was cut
// to get a size, since a command waits for it.
func TestEmptied(t *testing.T) {
	for _, object := range []string{"_buf", "_descs"} {
		cfg := small(testRing(t))
		c, p := newPair(t, cfg)
		p.Active()
		must(t, os.Truncate(cfg.Prefix+object, 0))
		begin := time.Now()
		const looks = 1000
		for range looks {
			p.lookNow.Store(true)
			if p.Active(); p.Write(record(1, 1, 60), Normal) {
				t.Fatalf("%s: written", object)
			}
		}
		if took := time.Since(begin); took > looks*emptyWait/10 {
			t.Errorf("%s: %d looks took %v", object, looks, took)
		}
		_ = c.Close() // it may have noticed
	}
}

// TestRemoved: a producer whose reader has gone follows the names to the
// objects that they stand for.
func TestRemoved(t *testing.T) {
	cfg := small(testRing(t))
	old, p := newPair(t, cfg)
	p.Active()
	must(t, errors.Join(os.Remove(cfg.Prefix+"_buf"), os.Remove(cfg.Prefix+"_descs")))
	fresh := newConsumer(t, cfg)
	p.lookNow.Store(true)
	if !p.Write(record(1, 1, 60), Normal) || len(drain(t, old)) != 1 {
		t.Error("the reader of the removed ring is still there, but not written for")
	}
	must(t, old.Close())
	begin := time.Now()
	for !p.Active() {
		if time.Since(begin) > 5*pulseEvery {
			t.Fatal("the new ring is not found")
		}
		time.Sleep(time.Millisecond)
	}
	if !p.Write(record(1, 2, 60), Normal) || len(drain(t, fresh)) != 1 {
		t.Error("the new ring is not written")
	}
}
