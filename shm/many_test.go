package shm

import (
	"testing"
	"time"

	"github.com/pdig/pdig/internal/sys"
)

// TestWaitForMany: who reads several rings is woken by a record in any of them, and waits
// where there is none.
func TestWaitForMany(t *testing.T) {
	var all []*Consumer
	var writers []*Producer
	var words sys.Futexes
	for range 3 {
		c, p := newPair(t, small(memoryRing(t)))
		if !p.Active() {
			t.Fatal("not active with a reader")
		}
		words.Add(c.futex, c.futex.Load())
		all, writers = append(all, c), append(writers, p)
	}
	if !words.Wait(time.Millisecond) {
		t.Skip("needs futex_waitv, of Linux 5.16")
	}
	for i, c := range all {
		fastest := time.Hour
		for range 10 {
			done := make(chan time.Time)
			go func() {
				for c.futex.Load()&asleep == 0 { // set while the reader sleeps
				}
				time.Sleep(time.Millisecond)
				begin := time.Now()
				writers[i].Write(record(1, 2, 100), Normal)
				done <- begin
			}()
			for {
				if _, err := c.Poll(); err == nil {
					break
				}
				Wait(all)
			}
			fastest = min(fastest, time.Since(<-done))
		}
		if fastest > lastPause/2 {
			t.Errorf("ring %d: the reader was not woken: it took %v at least", i, fastest)
		}
		for _, c := range all {
			if c.futex.Load()&(asleep|resting) != 0 {
				t.Error("an awake reader asks to be woken")
			}
		}
	}
	// Where nothing comes it sleeps ever longer.
	begin := time.Now()
	for range 5 {
		Wait(all)
	}
	if took := time.Since(begin); took < 3*lastPause {
		t.Errorf("five waits took %v", took)
	}
}
