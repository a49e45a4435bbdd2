package modern

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer"
)

// newDouble is a ring that no kernel writes.
func newDouble(size int, epoch *int64) *ring {
	page := os.Getpagesize()
	r := &ring{size: uint64(size), consumer: make([]byte, page), producer: make([]byte, page+2*size), epoch: epoch}
	r.tail, r.head = word64(r.consumer), word64(r.producer)
	return r
}

// write puts what may be a record behind those that are there. Both views of the ring
// have it.
func (r *ring) write(length uint32, rec []byte) {
	b := binary.NativeEndian.AppendUint32(nil, length)
	b = append(append(b, 0, 0, 0, 0), rec...)
	data := r.producer[os.Getpagesize():]
	for i, c := range b {
		at := (r.head.Load() + uint64(i)) % r.size
		data[at], data[at+r.size] = c, c
	}
	r.head.Add(uint64(len(b)+7) &^ 7)
}

// recordAt is a record of the probe without areas.
func recordAt(time uint64, kind byte) []byte {
	b := make([]byte, headSize)
	binary.NativeEndian.PutUint64(b, time)
	b[offKind] = kind
	return b
}

// doubles are rings for [source.Merge], whose clock was set.
type doubles struct {
	*Probe
	epochs []int64 // of the looks to come
}

func (d *doubles) Rings() []source.Ring {
	if len(d.epochs) > 0 {
		d.epoch, d.epochs = d.epochs[0], d.epochs[1:]
	}
	return d.shown
}

func (d *doubles) Stats() event.Stats { return event.Stats{} }

// TestOrder: records come in the order of the clock of the probe, though what is between
// it and the clock of the day is another at each look.
func TestOrder(t *testing.T) {
	const future = 1 << 62
	d := &doubles{Probe: &Probe{}, epochs: []int64{future, 100}}
	a, b := newDouble(4096, &d.epoch), newDouble(4096, &d.epoch)
	d.shown = []source.Ring{a, b}
	m := source.Merge(d)
	a.write(headSize, recordAt(10, kindEnd)) // it waits at the first look
	if _, err := m.Poll(); err == nil {
		t.Fatal("a record of the future")
	}
	b.write(headSize, recordAt(20, kindEnd))
	a.write(headSize, recordAt(30, kindEnd))
	for _, want := range []uint64{110, 120, 130} {
		rec, err := m.Poll()
		if err != nil || event.Time(rec) != want {
			t.Fatalf("%v, %v, want %d", rec, err, want)
		}
	}
}

// FuzzRing wants of a ring with anything in it, and of a decoder of that, that they come
// to an end, and that every byte is left behind.
func FuzzRing(f *testing.F) {
	area := func(addr uint64, kind byte, n uint32, data []byte) []byte {
		b := binary.NativeEndian.AppendUint64(nil, addr)
		b = binary.NativeEndian.AppendUint32(b, n)
		return append(append(b, kind, 0, 0, 0), data...)
	}
	for kind := byte(0); kind <= kindSignal+1; kind++ {
		rec := recordAt(1, kind)
		f.Add(uint32(len(rec)), rec)
		for sort, n := range map[byte]int{areaMemory: 8, areaFile: fileSize, areaSocket: socketSize, areaTask: taskSize, areaPath: 8, areaSizes: sizesSize, areaCgroup: 8} {
			whole := append(rec[:headSize:headSize], area(3, sort, uint32(n), make([]byte, n))...)
			f.Add(uint32(len(whole)), whole)
			f.Add(uint32(len(whole)), append(rec[:headSize:headSize], area(1<<63, sort, uint32(n)+8, make([]byte, n))...))
		}
	}
	f.Add(uint32(busyBit), []byte(nil))
	f.Add(uint32(discardBit|8), make([]byte, 8))
	f.Add(uint32(1<<30-1), make([]byte, 8))
	f.Fuzz(func(t *testing.T, length uint32, rec []byte) {
		const size = 4096
		if len(rec) > size/2 {
			return
		}
		var now int64
		r := newDouble(size, &now)
		d := decoder{rec: tracer.NewRecorder(tracer.RecorderConfig{
			Ceiling: syscalls.CeilingNewest, Snaplen: 80, Out: func([]byte) {}, Lost: func(event.Cause) {},
		})}
		for range 3 { // the last one wraps
			r.write(length, rec)
			r.write(headSize, recordAt(2, kindEnd))
			r.Load()
			for taken := 0; r.Peek() != nil; taken++ {
				if taken > size {
					t.Fatal("no end")
				}
				d.take(r.Peek())
				r.Take()
			}
			if r.at == r.ready {
				continue
			}
			if at := uint64(os.Getpagesize()) + r.at%size; r.at > r.ready || word32(r.producer[at:]).Load()&busyBit == 0 {
				t.Fatalf("at %d of %d", r.at, r.ready)
			}
			return // somebody writes it
		}
	})
}
