package shm

import (
	"testing"

	"github.com/pdig/pdig/syscalls"
)

// TestLayout pins where everything stands in the page: the offsets are those
// of udig's programs, which nothing in the page tells.
func TestLayout(t *testing.T) {
	type offsets struct {
		head, tail, evts, full, faults                  int
		lock, initialized, capturing, stopped, lastTime int
		snaplen, ratio, statsd, end                     int
	}
	for l, want := range map[*layout]offsets{
		layoutA: {0, 4, 8, 16, 24, 48, 56, 60, 64, 72, 88, 92, 124, 128},
		layoutB: {0, 4, 8, 16, 120, 144, 152, 156, 160, 168, 184, 188, 220, 224},
		layoutC: {0, 4, 8, 16, 136, 160, 168, 172, 176, 184, 200, 204, 236, 240},
	} {
		// Every word gets a number of its own, in the order of the structure,
		// and is looked for in the bytes.
		b := make([]byte, pageSize)
		p := newPage(b, l)
		p.head.Store(1)
		p.tail.Store(2)
		p.evts.Store(3)
		p.full.Store(4)
		p.faults.Store(5)
		p.lock.Store(6)
		p.initialized.Store(7)
		p.capturing.Store(8)
		p.stopped.Store(9)
		p.lastPrint[0] = 10
		p.snaplen.Store(11)
		p.ratio.Store(12)
		p.statsd[0] = 13
		at := make([]int, 14)
		for i, x := range b {
			if x != 0 {
				at[x] = i
			}
		}
		end := l.status + statusSize
		got := offsets{at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11], at[12], at[13], end}
		if got != want {
			t.Errorf("layout %s: got %+v, want %+v", l.name, got, want)
		}
		if int64(want.end) != l.size {
			t.Errorf("layout %s: size %d, want %d", l.name, l.size, want.end)
		}
		if &p.settings[0] != &b[want.snaplen] || len(p.settings) != 40 {
			t.Errorf("layout %s: the settings are not the 40 bytes from %d on", l.name, want.snaplen)
		}
		if len(p.lastPrint) != 16 {
			t.Errorf("layout %s: %d bytes of time, want 16", l.name, len(p.lastPrint))
		}
	}
}

func TestExtension(t *testing.T) {
	b := make([]byte, pageSize)
	p := newPage(b, layoutA)
	p.magic.Store(1)
	p.version.Store(2)
	p.extSize.Store(3)
	p.consumed.Store(4)
	p.ceiling.Store(5)
	p.start.Store(6)
	p.producer.Store(7)
	p.futex.Store(8)
	p.heartbeat.Store(9)
	p.published.Store(10)
	for i := range p.lost {
		p.lost[i].Store(uint64(11 + i))
	}
	p.wants.Store(19)
	p.container[0], p.command[0] = 20, 21
	want := map[byte]int{
		1: 256, 2: 264, 3: 268, 4: 272, 5: 276, 6: 280, 7: 288, 8: 292, 9: 296, 10: 304,
		11: 312, 12: 320, 13: 328, 14: 336, 15: 344, 16: 352, 17: 360, 18: 368, 19: 376, 20: 384, 21: 512,
	}
	for i, x := range b {
		if x != 0 && want[x] != i {
			t.Errorf("word %d is at %d, want %d", x, i, want[x])
		}
		delete(want, x)
	}
	if len(want) != 0 {
		t.Errorf("words that are nowhere: %v", want)
	}
	if &p.ext[0] != &b[256] || len(p.ext) != 768 {
		t.Errorf("the extension is not the 768 bytes from 256 on")
	}
}

func TestLayoutOf(t *testing.T) {
	for size, want := range map[int64]*layout{128: layoutA, 224: layoutB, 240: layoutC, 4096: layoutA, 129: layoutA, 8192: layoutA} {
		if got := layoutOf(size); got != want {
			t.Errorf("object of %d bytes: layout %s, want %s", size, got.name, want.name)
		}
	}
}

func TestLayoutFor(t *testing.T) {
	for _, tt := range []struct {
		size    int64
		ceiling int
		want    *layout
	}{
		{ringSizeA, 0, layoutA},
		{ringSizeA, syscalls.CeilingA, layoutA},
		{ringSizeA, syscalls.CeilingNewest, layoutA},
		{ringSizeA, syscalls.CeilingB, layoutB},
		{ringSizeA, syscalls.CeilingC, layoutC},
		{1 << 16, 0, layoutC},
		{1 << 16, syscalls.CeilingB, layoutB},
		{1 << 16, syscalls.CeilingNewest, layoutC},
	} {
		if got := layoutFor(tt.size, tt.ceiling); got != tt.want {
			t.Errorf("ring of %d bytes, ceiling %d: layout %s, want %s", tt.size, tt.ceiling, got.name, tt.want.name)
		}
	}
}
