package tracer

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestAskedMask: who has all CPUs has not asked for any, so that it gets those of
// another cpuset too; who has fewer has asked for them.
func TestAskedMask(t *testing.T) {
	var p pin
	var some unix.CPUSet
	for _, cpu := range []int{0, 1, 3} {
		p.most.Set(cpu)
	}
	some.Set(0)
	some.Set(3)
	if got := p.asked(&some); *got != some {
		t.Errorf("some CPUs: got %v", got)
	}
	all := p.most
	if got := p.asked(&all); got.Count() < len(p.most)*64 || !within(&all, got) {
		t.Errorf("all CPUs: got %d", got.Count())
	}
	if !within(&some, &all) || within(&all, &some) {
		t.Error("within takes a set for another")
	}
}
