package shm

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestAwait: who has to be read waits for a reader, also after one that has
// died, whose end is noticed at once and costs nothing to look for.
func TestAwait(t *testing.T) {
	cfg := small(memoryRing(t))
	c := newConsumer(t, cfg)
	var giveUp atomic.Bool
	p := newProducer(t, ProducerConfig{Config: cfg, Await: true})
	p.GiveUp(giveUp.Load)
	reader := sleeper(t)
	c.capturing.Store(uint32(reader.Process.Pid))
	if !p.Active() {
		t.Fatal("there is a reader")
	}
	if p.reader.fd < 0 {
		t.Fatal("the reader is not watched")
	}
	if n := testing.AllocsPerRun(100, func() { p.Active() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	_ = reader.Process.Kill()
	_ = reader.Wait()
	for name, end := range map[string]func(){
		"a reader comes": func() { c.capturing.Store(c.pid) },
		"somebody dies":  func() { giveUp.Store(true) },
		"release":        p.Release,
	} {
		active := make(chan bool)
		go func() { active <- p.Active() }()
		select {
		case <-active:
			t.Fatalf("%s: did not wait", name)
		case <-time.After(2 * awaitLook):
		}
		end()
		if got, want := <-active, name == "a reader comes"; got != want {
			t.Errorf("%s: active is %v", name, got)
		}
		giveUp.Store(false)
		c.capturing.Store(0)
		p.released.Store(false)
	}
}
