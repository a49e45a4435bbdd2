package sys

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestFutexes: a wait for several words ends when one of them is woken, or has changed
// before.
func TestFutexes(t *testing.T) {
	const patience = 20 * time.Second
	var words [3]atomic.Uint32
	for i := range words {
		all := func() (f Futexes) {
			for j := range words {
				f.Add(&words[j], words[j].Load())
			}
			return f
		}
		first := all()
		if !first.Wait(time.Millisecond) {
			t.Skip("needs futex_waitv, of Linux 5.16")
		}
		done := make(chan time.Duration)
		begin := time.Now()
		asked := all()
		go func() {
			asked.Wait(patience)
			done <- time.Since(begin)
		}()
		time.Sleep(20 * time.Millisecond) // long enough to fall asleep, as a rule
		words[i].Add(1)
		FutexWake(&words[i], 1)
		if took := <-done; took >= patience {
			t.Errorf("word %d: not woken", i)
		}
	}
	one := Futexes{}
	one.Add(&words[0], words[0].Load()+1)
	if begin := time.Now(); !one.Wait(patience) || time.Since(begin) >= patience {
		t.Error("waited for a value that was not there")
	}
}
