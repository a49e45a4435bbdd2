package shm

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
)

// fillUp writes until the ring is full, for a producer that would block.
func fillUp(t *testing.T, cfg Config) (n uint64) {
	t.Helper()
	p := newProducer(t, ProducerConfig{Config: cfg})
	for p.Write(record(1, n, 100), Normal) {
		n++
	}
	p.evts.Add(^uint64(0)) // the last did not matter
	p.full.Add(^uint64(0))
	p.lost[event.CauseRingFull].Add(^uint64(0))
	must(t, p.Close())
	return n
}

// TestBlockLosesNothing: a producer that blocks is as fast as its reader.
func TestBlockLosesNothing(t *testing.T) {
	cfg := small(memoryRing(t))
	c := newConsumer(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	const n = 20000
	done := make(chan uint64)
	go func() {
		var wrote uint64
		for seq := range uint64(n) {
			if p.Write(record(1, seq, sizeOf(seq)), Normal) {
				wrote++
			}
		}
		done <- wrote
	}()
	for want := range uint64(n) {
		if want%5000 == 0 {
			time.Sleep(20 * time.Millisecond) // the ring is full meanwhile
		}
		rec, err := next(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, seq, err := number(rec); err != nil || seq != want {
			t.Fatalf("got number %d, %v, want %d", seq, err, want)
		}
	}
	if wrote := <-done; wrote != n {
		t.Errorf("%d records written, want %d", wrote, n)
	}
	want := event.Stats{Seen: n, Delivered: n}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestRoomWakes: a blocked producer does not oversleep when our reader makes
// room, nor our reader when there is a record.
func TestRoomWakes(t *testing.T) {
	cfg := small(memoryRing(t))
	c := newConsumer(t, cfg)
	fillUp(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	done := make(chan bool)
	go func() { done <- p.Write(record(1, 1, 100), Normal) }()
	for start := time.Now(); c.futex.Load()&roomWanted == 0; {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the producer does not ask to be woken")
		}
	}
	if _, err := next(c); err != nil {
		t.Fatal(err)
	}
	if !<-done {
		t.Error("not written")
	}
	if c.futex.Load()&roomWanted != 0 {
		t.Error("the wish for room stays")
	}
	// Not once did the reader sleep to the end, if it was woken.
	fastest := time.Hour
	for range 20 {
		drain(t, c)
		asked := make(chan time.Time, 1)
		go func() {
			for c.futex.Load()&asleep == 0 { // set while the reader dozes
			}
			time.Sleep(time.Millisecond)
			asked <- time.Now()
			done <- p.Write(record(1, 2, 100), Normal)
		}()
		if _, err := next(c); err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, time.Since(<-asked))
		if !<-done {
			t.Error("not written")
		}
	}
	if fastest > lastPause/2 {
		t.Errorf("the reader was not woken: it took %v at least", fastest)
	}
}

// TestBlockEnds: each of the things that end a wait.
func TestBlockEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		reader func(t *testing.T) *os.Process // nil: this process
		end    func(c *Consumer, p *Producer, reader *os.Process)
		atMost time.Duration
	}{
		"reader pauses": {nil, func(c *Consumer, _ *Producer, _ *os.Process) { c.stopped.Store(1) }, time.Second},
		"reader ends":   {nil, func(c *Consumer, _ *Producer, _ *os.Process) { c.capturing.Store(0) }, time.Second},
		"release":       {nil, func(_ *Consumer, p *Producer, _ *os.Process) { p.Release() }, time.Second},
		"reader dies": {func(t *testing.T) *os.Process { return sleeper(t).Process }, func(_ *Consumer, _ *Producer, r *os.Process) {
			_ = r.Kill()
		}, time.Second},
		"reader unseen": {func(t *testing.T) *os.Process { return &os.Process{Pid: 1 << 30} }, func(*Consumer, *Producer, *os.Process) {
		}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := small(memoryRing(t))
			c := newConsumer(t, cfg)
			n := fillUp(t, cfg)
			p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
			var reader *os.Process
			if tt.reader != nil {
				reader = tt.reader(t)
				c.capturing.Store(uint32(reader.Pid))
			}
			done := make(chan bool)
			go func() { done <- p.Write(record(1, n, 100), Normal) }()
			select {
			case <-done:
				t.Fatal("did not wait")
			case <-time.After(100 * time.Millisecond):
			}
			begin := time.Now()
			tt.end(c, p, reader)
			if <-done {
				t.Error("written without room")
			}
			if took := time.Since(begin); took > tt.atMost {
				t.Errorf("took %v, want at most %v", took, tt.atMost)
			}
			// The next one does not wait either.
			begin = time.Now()
			if p.Write(record(1, n, 100), Normal) {
				t.Error("written without room")
			}
			if took := time.Since(begin); took > tt.atMost/2 {
				t.Errorf("the next took %v", took)
			}
			own, total := p.Lost(), uint64(0)
			for _, n := range own {
				total += n
			}
			if died := name == "reader dies"; died && own[event.CauseReader] == 0 || total > 2 {
				t.Errorf("the producer says that it has lost %v", own)
			}
			c.capturing.Store(c.pid)
			c.stopped.Store(0)
			drain(t, c)
			s := c.Stats()
			if lost := s.LostTotal(); lost < 1 || lost != s.Lost[event.CauseReader]+s.Lost[event.CauseRingFull] || s.Delivered != n {
				t.Errorf("delivered %d, want %d; lost %v", s.Delivered, n, s.Lost)
			}
			checkSum(t, s)
		})
	}
}

// TestUnseenReaderReads: a reader in another pid namespace is waited for as
// long as it makes room.
func TestUnseenReaderReads(t *testing.T) {
	cfg := small(memoryRing(t))
	c := newConsumer(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	const pid = 1 << 30
	c.capturing.Store(pid)
	c.pid = pid
	const n = 2000
	done := make(chan uint64)
	go func() {
		var wrote uint64
		for seq := range uint64(n) {
			if p.Write(record(1, seq, 100), Normal) {
				wrote++
			}
		}
		done <- wrote
	}()
	for want := range uint64(n) {
		if want%1000 == 0 {
			time.Sleep(roomUnseen / 5)
		}
		rec, err := next(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, seq, err := number(rec); err != nil || seq != want {
			t.Fatalf("got number %d, %v, want %d", seq, err, want)
		}
	}
	if wrote := <-done; wrote != n {
		t.Errorf("%d written, want %d", wrote, n)
	}
}

// TestGiveUp: a record is given up when its writer says so, but not before the
// reader has stood for a while; the next ones are at once, until it makes room.
func TestGiveUp(t *testing.T) {
	cfg := small(memoryRing(t))
	c := newConsumer(t, cfg)
	n := fillUp(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	asked := 0
	p.GiveUp(func() bool { asked++; return true })
	begin := time.Now()
	const tries = 100
	for seq := range uint64(tries) {
		if p.Write(record(2, seq, 100), Normal) {
			t.Fatalf("record %d was written into a full ring", seq)
		}
	}
	if took := time.Since(begin); took < roomUnseen || took > tries*roomUnseen/4 {
		t.Errorf("%d records took %v, want about %v", tries, took, roomUnseen)
	}
	if asked != tries {
		t.Errorf("asked %d times, want %d", asked, tries)
	}
	if got := uint64(len(drain(t, c))); got != n {
		t.Errorf("%d records, want %d", got, n)
	}
	if !p.Write(record(2, tries, 100), Normal) {
		t.Error("not written when there was room")
	}
	if diff := cmp.Diff(lostOnly(event.CauseRingFull, tries), c.Stats().Lost); diff != "" {
		t.Errorf("lost: want -, got +:\n%s", diff)
	}
}
