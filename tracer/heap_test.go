package tracer

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestHeapIsBounded has stops allocate, as some do, with the runtime's own
// collections off, as they are while the loop runs.
func TestHeapIsBounded(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, tt := range []struct {
		name string
		size int // bytes of garbage of each
		act  func(*heap)
	}{
		{"stops", 1 << 10, func(h *heap) { h.stop() }},
		{"births", 16 << 10, func(h *heap) { h.grew(); h.stop() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runtime.GC()
			var h heap
			h.init()
			start, most := h.size(), uint64(0)
			for i := range 64 << 20 / tt.size {
				garbage = make([]byte, tt.size)
				tt.act(&h)
				if i%64 == 0 {
					most = max(most, h.size())
				}
			}
			if got := most - start; most < start || got > 24<<20 {
				t.Errorf("64 MiB of garbage made the heap %d bytes larger", got)
			}
		})
	}
}

var garbage []byte
