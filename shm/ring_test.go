package shm

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

func TestThrough(t *testing.T) {
	for name, cfg := range map[string]ProducerConfig{
		"A":       {},
		"B":       {Ceiling: syscalls.CeilingB},
		"C":       {Ceiling: syscalls.CeilingC},
		"B small": {Ceiling: syscalls.CeilingB, Config: Config{Size: smallRing}},
		"C small": {Config: Config{Size: smallRing}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Prefix = testRing(t)
			p := newProducer(t, cfg) // comes first, and so chooses the layout
			if p.layout.name != name[:1] {
				t.Fatalf("layout %s was created", p.layout.name)
			}
			if p.Active() {
				t.Error("active without a reader")
			}
			c := newConsumer(t, Config{Prefix: cfg.Prefix})
			if !p.Active() {
				t.Error("not active with a reader")
			}
			var want [][]byte
			for seq := range uint64(200) {
				rec := record(7, seq, sizeOf(seq))
				want = append(want, rec)
				if !p.Write(rec, Normal) {
					t.Fatalf("record %d not written", seq)
				}
			}
			if diff := cmp.Diff(want, drain(t, c)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			want1 := event.Stats{Seen: 200, Delivered: 200}
			if diff := cmp.Diff(want1, c.Stats()); diff != "" {
				t.Errorf("stats: want -, got +:\n%s", diff)
			}
		})
	}
}

// TestWrap puts a record at every position at which it meets the end of the
// ring.
func TestWrap(t *testing.T) {
	const size = 75
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	for at := p.size - size - 1; at != 2; at = advance(at, 1, p.size) {
		for _, cursor := range []*uint32{&c.pos, &c.end, &c.freed} {
			*cursor = at
		}
		p.head.Store(at)
		p.tail.Store(at)
		want := record(1, uint64(at), size)
		if !p.Write(want, Normal) {
			t.Fatalf("not written at %d", at)
		}
		rec, err := c.Next()
		if err != nil || !bytes.Equal(rec, want) {
			t.Fatalf("at %d: got %x, %v, want %x", at, rec, err, want)
		}
		if head, tail := c.head.Load(), c.tail.Load(); head != advance(at, size, p.size) || tail != head {
			t.Fatalf("at %d: head %d, tail %d", at, head, tail)
		}
	}
}

// TestSizes fills the ring with records of all sizes up to the largest.
func TestSizes(t *testing.T) {
	c, p := newPair(t, Config{Prefix: testRing(t), Size: 1 << 18})
	p.Active()
	for _, size := range []int{event.HeaderSize, 27, minRecord, 100, 65535, event.MaxSize} {
		want := record(1, 2, size)
		for range 20 {
			if !p.Write(want, Normal) {
				t.Fatalf("%d bytes not written", size)
			}
			rec, err := c.Next()
			if err != nil || !bytes.Equal(rec, want) {
				t.Fatalf("%d bytes: %v, %d bytes read", size, err, len(rec))
			}
		}
	}
}

func TestReserve(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	const size = 64
	var wrote, vital uint64
	for p.Write(record(1, wrote, size), Normal) {
		wrote++
	}
	for p.Write(record(2, vital, size), Vital) {
		vital++
	}
	// One byte is never used, and a twentieth is kept.
	if want := uint64(smallRing-1-smallRing/20) / size; wrote != want {
		t.Errorf("%d normal records, want %d", wrote, want)
	}
	if want := uint64(smallRing-1) / size; wrote+vital != want {
		t.Errorf("%d records in all, want %d", wrote+vital, want)
	}
	if got := uint64(len(drain(t, c))); got != wrote+vital {
		t.Errorf("%d records read, want %d", got, wrote+vital)
	}
	s := c.Stats()
	if diff := cmp.Diff(lostOnly(event.CauseRingFull, 2), s.Lost); diff != "" {
		t.Errorf("lost: want -, got +:\n%s", diff)
	}
	checkSum(t, s)
}

// TestRefused: what must not be in a ring does not get there, and is counted.
func TestRefused(t *testing.T) {
	long := record(1, 1, 100)
	long[offLen]++
	short := record(1, 1, 100)
	short[offLen] = 25
	unknown := record(1, 1, 100)
	unknown[offType+1] = 0xff
	for name, tt := range map[string]struct {
		rec   []byte
		class Class
		want  event.Cause
	}{
		"empty":              {nil, Normal, event.CauseEncode},
		"no header":          {record(1, 1, 26)[:25], Normal, event.CauseEncode},
		"length too long":    {long, Normal, event.CauseEncode},
		"length too short":   {short, Normal, event.CauseEncode},
		"unknown type":       {unknown, Normal, event.CauseUnknown},
		"more than a record": {record(1, 1, event.MaxSize+1), Normal, event.CauseTooLarge},
		"more than a ring":   {record(1, 1, smallRing), Vital, event.CauseTooLarge},
		"in the reserve":     {record(1, 1, smallRing-1), Normal, event.CauseTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := small(testRing(t))
			c := newConsumer(t, cfg)
			p := newProducer(t, ProducerConfig{Config: cfg, Block: true}) // never waited for
			if p.Write(tt.rec, tt.class) {
				t.Error("was written")
			}
			if got := drain(t, c); len(got) != 0 {
				t.Errorf("got %x", got)
			}
			s := c.Stats()
			if diff := cmp.Diff(lostOnly(tt.want, 1), s.Lost); diff != "" {
				t.Errorf("lost: want -, got +:\n%s", diff)
			}
			checkSum(t, s)
		})
	}
	c, p := newPair(t, small(testRing(t)))
	if !p.Write(record(1, 1, smallRing-1), Vital) {
		t.Error("a vital record as large as the ring was not written")
	}
	if rec, err := c.Next(); err != nil || len(rec) != smallRing-1 {
		t.Errorf("got %d bytes, %v", len(rec), err)
	}
}

func TestCount(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Count(event.CauseEncode)
	p.Count(event.CauseEncode)
	p.Count(event.CauseUnknown)
	p.Count(event.CauseLock)
	p.Write(record(1, 1, 40), Normal)
	drain(t, c)
	s := c.Stats()
	want := event.Stats{Seen: 5, Delivered: 1}
	want.Lost[event.CauseEncode], want.Lost[event.CauseUnknown], want.Lost[event.CauseLock] = 2, 1, 1
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	// Readers that do not know the extension see them as well.
	if full, faults := c.full.Load(), c.faults.Load(); full != 1 || faults != 3 {
		t.Errorf("the ring's own counters: %d and %d, want 1 and 3", full, faults)
	}
}

// TestGate: nothing is written or counted while nobody reads.
func TestGate(t *testing.T) {
	cfg := small(testRing(t))
	p := newProducer(t, ProducerConfig{Config: cfg})
	closed := func(when string) {
		t.Helper()
		head, evts := p.head.Load(), p.evts.Load()
		if p.Active() || p.Write(record(1, 1, 40), Vital) {
			t.Errorf("%s: active", when)
		}
		p.Count(event.CauseEncode)
		if p.head.Load() != head || p.evts.Load() != evts {
			t.Errorf("%s: something was written or counted", when)
		}
	}
	closed("before a reader")
	c := newConsumer(t, cfg)
	if !p.Active() {
		t.Error("not active with a reader")
	}
	c.stopped.Store(1)
	closed("while the reader pauses")
	c.stopped.Store(0)
	if !p.Active() {
		t.Error("not active after a pause")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	closed("after the reader")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p.Active() || p.Write(record(1, 1, 40), Vital) || p.Snaplen() != defaultSnaplen {
		t.Error("active after Close")
	}
	p.Count(event.CauseEncode)
	if err := p.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("second Close: %v, want ErrClosed", err)
	}
	if err := c.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("second Close: %v, want ErrClosed", err)
	}
	if _, err := c.Next(); !errors.Is(err, ErrClosed) {
		t.Errorf("Next after Close: %v, want ErrClosed", err)
	}
}

func TestSnaplen(t *testing.T) {
	cfg := small(testRing(t))
	p := newProducer(t, ProducerConfig{Config: cfg})
	for ask, want := range map[int]int{0: 80, 200: 200, maxSnaplen: maxSnaplen, 1 << 20: maxSnaplen} {
		c, err := NewConsumer(ConsumerConfig{Config: cfg, Snaplen: ask})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Snaplen(); got != want {
			t.Errorf("snaplen %d: the producer takes %d, want %d", ask, got, want)
		}
		c.snaplen.Store(1 << 31) // nonsense from another program
		if got := p.Snaplen(); got != defaultSnaplen {
			t.Errorf("nonsense: the producer takes %d, want %d", got, defaultSnaplen)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCeiling: new event codes go to readers that are known to know them.
func TestCeiling(t *testing.T) {
	cfg := Config{Prefix: testRing(t)}
	p := newProducer(t, ProducerConfig{Config: cfg})
	fixed := newProducer(t, ProducerConfig{Config: cfg, Ceiling: 322})
	check := func(when string, want int) {
		t.Helper()
		p.Active()
		fixed.Active()
		if got := p.Ceiling(); got != want {
			t.Errorf("%s: ceiling %d, want %d", when, got, want)
		}
		if got := fixed.Ceiling(); got != 322 {
			t.Errorf("%s: ceiling %d that was set to 322", when, got)
		}
	}
	check("before a reader", syscalls.CeilingA)
	c := newConsumer(t, cfg)
	check("our reader", syscalls.CeilingNewest)
	c.page.ceiling.Store(1 << 20)
	p.lookNow.Store(true)
	check("nonsense", syscalls.CeilingA)
	c.page.ceiling.Store(syscalls.CeilingNewest)

	// Another reader takes over from a dead one of ours, whose extension stays.
	c.capturing.Store(uint32(os.Getppid()))
	check("another reader", syscalls.CeilingA)
	newest := record(1, 1, 40)
	newest[offType], newest[offType+1] = syscalls.CeilingA&0xff, syscalls.CeilingA>>8
	if p.Write(newest, Normal) {
		t.Error("an event code that the reader does not know was written")
	}
	c.capturing.Store(c.pid)
	check("ours again", syscalls.CeilingNewest)
	if !p.Write(newest, Normal) {
		t.Error("an event code that the reader knows was not written")
	}

	// The pid is the same, the process is not.
	c.start.Add(1)
	check("the reader's pid used again", syscalls.CeilingA)
	c.start.Add(^uint64(0))
	check("ours again", syscalls.CeilingNewest)
	c.magic.Store(0)
	p.lookNow.Store(true)
	check("no magic", syscalls.CeilingA)
	c.magic.Store(extMagic)
	c.version.Store(extVersion + 1)
	p.lookNow.Store(true)
	check("another version", syscalls.CeilingA)
	c.version.Store(extVersion)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	check("after the reader", syscalls.CeilingA)
}

// TestBeginAnew: a producer notices a reader that begins anew with the pid of
// the last, by the counter that it resets.
func TestBeginAnew(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	for seq := range uint64(3) {
		p.Write(record(1, seq, 40), Normal)
	}
	c.evts.Store(0)
	c.magic.Store(0) // the extension is not that reader's
	p.Write(record(1, 3, 40), Normal)
	p.Active()
	if p.reader.ext {
		t.Error("the extension is still believed")
	}
}

func TestCloseCountsUnread(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	for seq := range uint64(100) {
		p.Write(record(1, seq, 100), Normal)
	}
	for range 10 {
		if _, err := c.Next(); err != nil {
			t.Fatal(err)
		}
	}
	for seq := range uint64(20) {
		p.Write(record(1, seq, 100), Normal)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	s := c.Stats()
	want := event.Stats{Seen: 120, Delivered: 10, Lost: lostOnly(event.CauseUnread, 110)}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestVanished: what a producer has tried, and never published, is found when
// all is quiet.
func TestVanished(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	p.Write(record(1, 1, 40), Normal)
	p.evts.Add(2) // killed in the middle; or one that loses silently
	drain(t, c)
	want := event.Stats{Seen: 3, Delivered: 1, Lost: lostOnly(event.CauseVanished, 2)}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	// One of them was only slow.
	copyIn(p.data, p.head.Load(), record(1, 2, 40))
	p.head.Add(40)
	drain(t, c)
	want = event.Stats{Seen: 3, Delivered: 2, Lost: lostOnly(event.CauseVanished, 1)}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestNoAllocations(t *testing.T) {
	c, p := newPair(t, Config{Prefix: testRing(t)})
	rec := record(1, 1, 64)
	p.Active()
	if n := testing.AllocsPerRun(1000, func() {
		if !p.Active() || !p.Write(rec, Normal) {
			t.Fatal("not written")
		}
		if _, err := c.Next(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per record, want 0", n)
	}
	if n := testing.AllocsPerRun(50, func() {
		if _, err := c.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per look at a quiet ring, want 0", n)
	}
}

// TestDescriptors: an end of a ring holds none, and unmaps what it mapped.
func TestDescriptors(t *testing.T) {
	count := func() (fds, maps int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return len(list), bytes.Count(b, []byte("ring"))
	}
	use := func() {
		c, p := newPair(t, small(testRing(t)))
		if fds, _ := count(); fds > 20 {
			t.Errorf("%d descriptors while a ring is open", fds)
		}
		_, _ = c.Close(), p.Close()
		private, err := NewPrivate(smallRing)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = private.Consumer(ConsumerConfig{}); err != nil {
			t.Fatal(err)
		}
		_, _ = c.Close(), private.Close()
		// And every way of failing.
		cfg := small(testRing(t))
		cfg.Size = 5000
		if _, err := NewConsumer(ConsumerConfig{Config: cfg}); err == nil {
			t.Error("a ring of 5000 bytes")
		}
		cfg = small(testRing(t))
		if err := os.WriteFile(cfg.Prefix+"_descs", make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewConsumer(ConsumerConfig{Config: cfg}); !errors.Is(err, ErrObject) {
			t.Errorf("a page of 100 bytes: %v", err)
		}
	}
	use()
	fds, maps := count()
	use()
	if f, m := count(); f != fds || m != maps {
		t.Errorf("%d descriptors and %d mappings, were %d and %d", f, m, fds, maps)
	}
}

// TestFaultElsewhere: only faults of the ring are caught.
func TestFaultElsewhere(t *testing.T) {
	_, p := newPair(t, small(testRing(t)))
	none, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if r := recover(); r == nil {
			t.Error("a fault outside of the ring went unnoticed")
		}
		if err := unix.Munmap(none); err != nil {
			t.Error(err)
		}
	}()
	p.Active()
	p.Write(none[:event.HeaderSize], Normal)
}
