package shm

import (
	"os"
	"testing"
	"time"

	"github.com/pdig/pdig/syscalls"
)

// TestReaderPIDReused: the reader dies while a producer waits, and its pid goes
// to a process that reads nothing.
func TestReaderPIDReused(t *testing.T) {
	cfg := small(testRing(t))
	c := newConsumer(t, cfg)
	n := fillUp(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	c.capturing.Store(uint32(sleeper(t).Process.Pid))
	p.Active()
	p.reader.start-- // it was another process that had the pid
	done := make(chan bool, 1)
	go func() { done <- p.Write(record(1, n, 100), Normal) }()
	select {
	case ok := <-done:
		if ok {
			t.Error("written without room")
		}
	case <-time.After(5 * time.Second):
		p.Release()
		t.Fatal("still waits for a process that is not the reader")
	}
	begin := time.Now()
	p.Active()
	p.lookNow.Store(true)
	p.Active()
	if p.Write(record(1, n, 100), Normal) || time.Since(begin) > 500*time.Millisecond {
		t.Errorf("waits again: %v", time.Since(begin))
	}
}

// TestReaderChangesWhileBlocked: what was made for one reader is not given to
// another that does not know it.
func TestReaderChangesWhileBlocked(t *testing.T) {
	cfg := Config{Prefix: testRing(t)}
	c := newConsumer(t, cfg)
	fillUp(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	if p.Active(); p.Ceiling() != syscalls.CeilingNewest {
		t.Fatalf("ceiling %d", p.Ceiling())
	}
	newest := record(1, 1, 100)
	newest[offType], newest[offType+1] = syscalls.CeilingA&0xff, syscalls.CeilingA>>8
	done := make(chan bool, 1)
	go func() { done <- p.Write(newest, Normal) }()
	time.Sleep(50 * time.Millisecond)
	c.capturing.Store(uint32(sleeper(t).Process.Pid))
	c.evts.Store(0)
	c.full.Store(0)
	c.head.Store(0)
	c.tail.Store(0)
	if <-done {
		t.Error("an event code that the new reader does not know was written")
	}
	if head := c.head.Load(); head != 0 {
		t.Errorf("head %d", head)
	}
	if evts, full, faults := c.evts.Load(), c.full.Load(), c.faults.Load(); evts+full+faults != 0 {
		t.Errorf("the new reader is told of %d records, %d and %d lost", evts, full, faults)
	}
}

// TestBlockLock: a producer that loses nothing waits for the lock, too.
func TestBlockLock(t *testing.T) {
	cfg := small(testRing(t))
	c := newConsumer(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg, Block: true})
	p.Active()
	other := sleeper(t)
	start, _ := look(int32(other.Process.Pid))
	p.lock.Store(lockWord(int32(other.Process.Pid), start))
	done := make(chan bool, 1)
	go func() { done <- p.Write(record(1, 1, 40), Normal) }()
	select {
	case <-done:
		t.Fatal("did not wait for the owner")
	case <-time.After(3 * lockWait):
	}
	_ = other.Process.Kill()
	_ = other.Wait()
	select {
	case ok := <-done:
		if !ok {
			t.Error("not written when the owner was dead")
		}
	case <-time.After(5 * time.Second):
		p.Release()
		t.Fatal("still waits for a dead owner")
	}
	if s := c.Stats(); s.LostTotal() != 0 {
		t.Errorf("lost %v", s.Lost)
	}
}

// TestHalfFullWakes: a reader that rests is left alone until the ring fills.
func TestHalfFullWakes(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	c.futex.Store(resting)
	const size = 64
	for n := uint32(size); n <= smallRing*3/4; n += size {
		if !p.Write(record(1, 1, size), Normal) {
			t.Fatal("not written")
		}
		if rests := c.futex.Load()&resting != 0; rests != (n <= smallRing/2) {
			t.Fatalf("the ring holds %d of %d bytes, and the reader rests: %v", n, smallRing, rests)
		}
	}
}

// TestReaderPID: the reader is told by its number if that stands for it here.
func TestReaderPID(t *testing.T) {
	cfg := Config{Prefix: testRing(t)}
	c := newConsumer(t, cfg)
	p := newProducer(t, ProducerConfig{Config: cfg})
	if p.Active(); p.ReaderPID() != os.Getpid() {
		t.Errorf("got %d, want %d", p.ReaderPID(), os.Getpid())
	}
	// A reader in another pid namespace, in which it has the number of a process here.
	other := sleeper(t).Process.Pid
	c.consumed.Store(uint32(other))
	c.start.Add(1)
	c.capturing.Store(uint32(other))
	if p.Active(); p.ReaderPID() != 0 {
		t.Errorf("got %d for a reader that is not here", p.ReaderPID())
	}
	// One that has no extension is believed.
	c.consumed.Store(0)
	p.lookNow.Store(true)
	if p.Active(); p.ReaderPID() != other {
		t.Errorf("got %d, want %d", p.ReaderPID(), other)
	}
}
