package tracer

import (
	"runtime"
	"runtime/metrics"
)

// heap collects garbage between two stops. The loop waits without telling the
// runtime, so a collection that began by itself would stand still until the
// next stop. There is little to collect: a stop allocates nothing, only births
// and execs do.
type heap struct {
	sample [1]metrics.Sample
	births int
	mark   uint64 // bytes at which to collect
}

const (
	heapMark   = 4 << 20 // least heap worth a collection
	heapLooks  = 64      // births between two looks
	heapMetric = "/memory/classes/heap/objects:bytes"
)

func (h *heap) init() {
	h.sample[0].Name = heapMetric
	h.mark = heapMark
}

// grew is called for every birth and exec.
func (h *heap) grew() {
	if h.births++; h.births%heapLooks != 0 || h.size() < h.mark {
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
