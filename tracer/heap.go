package tracer

import (
	"runtime"
	"runtime/metrics"
)

// heap collects garbage between two stops. The loop waits without telling the
// runtime, so a collection that began by itself would stand still until the
// next stop. There is little to collect: births and execs allocate, and of the
// stops a few do, for example that of a call that a signal interrupts.
type heap struct {
	sample [1]metrics.Sample
	since  int    // stops since the last look
	mark   uint64 // bytes at which to collect
}

const (
	heapMark   = 4 << 20 // least heap worth a collection
	heapLooks  = 1024    // stops between two looks
	heapGrowth = 16      // stops that a birth or an exec counts for
	heapMetric = "/memory/classes/heap/objects:bytes"
)

func (h *heap) init() {
	h.sample[0].Name = heapMetric
	h.mark = heapMark
}

// grew is called for every birth and exec.
func (h *heap) grew() { h.since += heapGrowth }

// stop is called for every stop.
func (h *heap) stop() {
	if h.since++; h.since < heapLooks {
		return
	}
	h.since = 0
	if h.size() < h.mark {
		return
	}
	runtime.GC()
	h.mark = max(heapMark, 2*h.size())
}

func (h *heap) size() uint64 {
	metrics.Read(h.sample[:])
	if v := h.sample[0].Value; v.Kind() == metrics.KindUint64 {
		return v.Uint64()
	}
	return 0
}
