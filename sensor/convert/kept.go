package convert

import "github.com/pdig/pdig/event"

// Enter is an enter event that waits for its exit.
type Enter struct {
	CPU    uint16
	Hidden bool
	Record []byte
}

// kept are the enter events, one of a thread.
type kept struct {
	threads map[int64]*Enter
	bytes   int // of their records
	lost    uint64
}

// Bounds of what is kept: of threads, and of bytes in their records.
const (
	maxThreads = 1 << 17
	maxBytes   = 64 << 20
)

// keep makes an event the one of its thread. If there is no room all others are
// forgotten: they are of threads that have ended, or made up.
func (k *kept) keep(v *event.View, cpu uint16, hidden bool) {
	e := k.threads[v.TID()]
	if e == nil {
		if len(k.threads) >= maxThreads || k.bytes+v.Len() > maxBytes {
			k.forget()
		}
		e = &Enter{}
		k.threads[v.TID()] = e
	}
	before := cap(e.Record)
	e.Record = append(e.Record[:0], v.Bytes()...)
	k.bytes += cap(e.Record) - before
	e.CPU, e.Hidden = cpu, hidden
}

func (k *kept) forget() {
	for _, e := range k.threads {
		if len(e.Record) > 0 {
			k.lost++
		}
	}
	clear(k.threads)
	k.bytes = 0
}

// take parses the event that was kept of a thread, if it is of a code, and
// forgets it.
func (k *kept) take(tid int64, typ uint16, v *event.View) (Enter, bool) {
	e := k.threads[tid]
	if e == nil || len(e.Record) == 0 || v.Parse(e.Record) != nil {
		return Enter{}, false
	}
	// Its bytes stay valid until the next event is kept.
	record := e.Record
	e.Record = e.Record[:0]
	return Enter{e.CPU, e.Hidden, record}, v.Type() == typ
}

// end forgets a thread.
func (k *kept) end(tid int64) {
	if e := k.threads[tid]; e != nil {
		k.bytes -= cap(e.Record)
		delete(k.threads, tid)
	}
}
