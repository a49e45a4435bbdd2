package shm

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
)

// FuzzConsumer puts any bytes into the ring and over the page, in the middle
// of a capture. The reader must get to an end, stay within the ring, and keep
// its promises about what it delivers.
func FuzzConsumer(f *testing.F) {
	good := record(1, 1, 60)
	f.Add(slices.Concat(good, good), uint32(0), uint16(0), []byte{}, false)
	f.Add(slices.Concat(good, make([]byte, 60), good), uint32(smallRing-50), uint16(0), []byte{}, false)
	f.Add(good, uint32(smallRing-1), uint16(0), []byte{0xff, 0xff, 0xff, 0xff}, true)
	f.Add(good[:30], uint32(7), uint16(0), []byte{1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff}, true)
	f.Add(slices.Concat(good, good), uint32(smallRing-50), uint16(1), []byte{}, false)
	f.Add(with(good, length(0)), uint32(100), uint16(offFutex), []byte{3}, true)
	f.Add(with(good, length(1<<31)), uint32(100), uint16(172), []byte{1, 2, 3, 4}, true)

	cfg := small(memoryRing(f))
	r, err := cfg.open(opening{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, ring []byte, at uint32, off uint16, page []byte, over bool) {
		clear(r.page.b)
		clear(r.data)
		r.initialized.Store(1)
		c, err := NewConsumer(ConsumerConfig{Config: cfg})
		if err != nil {
			t.Fatal(err)
		}
		c.empty = 10 // no blind pause
		at %= c.size
		c.pos, c.end, c.freed = at, at, at
		c.tail.Store(at)
		ring = ring[:min(len(ring), int(c.size)-1)]
		copyIn(c.data, at, ring)
		c.head.Store(advance(at, uint32(len(ring)), c.size))
		if over {
			copy(r.page.b[min(int(off), len(r.page.b)):], page)
		}
		stop := off%2 == 1
		if stop {
			c.Stop()
			c.empty = stoppedLooks // likewise
		}
		begin := time.Now()
		var n uint64
		for {
			rec, err := c.Next()
			if stop && errors.Is(err, io.EOF) {
				break
			}
			if errors.Is(err, os.ErrDeadlineExceeded) && c.n == 0 || errors.Is(err, ErrTakenOver) {
				break
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
			if size, ok := event.Length(rec); !ok || size != len(rec) || size < event.HeaderSize {
				t.Fatalf("record of %d bytes says %d", len(rec), size)
			}
			if params := binary.NativeEndian.Uint32(rec[offParams:]); uint64(params)*2 > uint64(len(rec)) {
				t.Fatalf("%d parameters in %d bytes", params, len(rec))
			}
			if n > smallRing/event.HeaderSize {
				t.Fatal("more records than the ring has room for")
			}
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
		s := c.Stats()
		if s.Delivered != n || s.Seen < s.Delivered+s.LostTotal() {
			t.Fatalf("delivered %d: %+v", n, s)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if tail := c.freed; tail >= smallRing {
			t.Fatalf("tail %d", tail)
		}
	})
}

// FuzzProducer writes into a ring whose page holds anything.
func FuzzProducer(f *testing.F) {
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, uint16(0), uint16(60))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0}, uint16(160), uint16(60))
	f.Add([]byte{1}, uint16(172), uint16(2000))
	f.Add([]byte{0, 0x40, 0, 0, 0xff, 0x3f, 0, 0}, uint16(0), uint16(60))
	cfg := small(memoryRing(f))
	p, err := NewProducer(ProducerConfig{Config: cfg})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = p.Close() })
	f.Fuzz(func(t *testing.T, page []byte, off, size uint16) {
		clear(p.page.b)
		clear(p.data)
		p.capturing.Store(uint32(os.Getpid()))
		copy(p.page.b[min(int(off), len(p.page.b)):], page)
		p.stuck = p.lock.Load() // not to be waited for
		before := slices.Clone(p.data)
		head, tail := p.head.Load(), p.tail.Load()
		rec := record(1, 1, max(int(size), minRecord))
		if !p.Write(rec, Vital) {
			if !slices.Equal(p.data, before) {
				t.Fatal("a record that was refused is in the ring")
			}
			return
		}
		if head >= p.size || tail >= p.size || uint32(len(rec)) > p.size-1-used(head, tail, p.size) {
			t.Fatalf("%d bytes written with head %d and tail %d", len(rec), head, tail)
		}
		copyIn(before, head, rec)
		if !slices.Equal(p.data, before) {
			t.Fatal("the ring is not what it was, and the record")
		}
		if got := p.head.Load(); got != advance(head, uint32(len(rec)), p.size) {
			t.Fatalf("head is %d", got)
		}
	})
}
