package event

import (
	"testing"

	"github.com/pdig/pdig/syscalls"
)

func TestAllocations(t *testing.T) {
	var (
		e       Encoder
		v       View
		p       Printer
		s       = newSynth()
		dst     = make([]byte, 0, 1<<20)
		records [][]byte
	)
	for _, ex := range examples(t) {
		records = append(records, ex.record)
	}
	for typ := range uint16(syscalls.NumEvents) {
		rec, err := s.event(&e, 100, typ, len(syscalls.Events[typ].Params))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, append([]byte(nil), rec...))
	}
	raw := append(u16(2), 0x01, 0xbb, 1, 2, 3, 4)
	for name, f := range map[string]func(){
		"Parse": func() {
			for _, rec := range records {
				if v.Parse(rec) != nil || v.Parse(rec[:10]) == nil {
					t.Fatal("a record is refused, or a cut one is not")
				}
			}
		},
		"Encoder": func() {
			e.Begin(1, 2, 7, 7)
			e.Int(8, 6)
			e.String(raw)
			e.Empty()
			e.Open()
			copy(e.Reserve(100), raw)
			e.Commit(4)
			e.Close()
			e.SockAddr(raw)
			e.Tuple(raw, raw)
			e.UnixTuple(1, 2, nil)
			if _, err := e.End(); err != nil {
				t.Fatal(err)
			}
		},
		"AppendInfo": func() {
			for _, rec := range records {
				if err := v.Parse(rec); err != nil {
					t.Fatal(err)
				}
				dst = p.AppendInfo(append(dst[:0], v.Name()...), &v, fixture{})
			}
		},
	} {
		if n := testing.AllocsPerRun(20, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, ex := range examples(b)[3:] {
		b.Run(ex.title, func(b *testing.B) {
			var v View
			b.ReportAllocs()
			b.SetBytes(int64(len(ex.record)))
			for b.Loop() {
				if err := v.Parse(ex.record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	var e Encoder
	name := []byte("/etc/shadow")
	b.ReportAllocs()
	for b.Loop() {
		e.Begin(1700000000123459789, 4242, 307, 7)
		e.Int(8, 3)
		e.Int(8, ^uint64(99))
		e.String(name)
		e.Int(4, 4097)
		e.Int(4, 0)
		e.Int(4, 2049)
		e.Int(8, 131090)
		rec, err := e.End()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(rec)))
	}
}

func BenchmarkAppendInfo(b *testing.B) {
	for _, ex := range examples(b)[3:] {
		b.Run(ex.title, func(b *testing.B) {
			var (
				v   View
				p   Printer
				dst []byte
			)
			if err := v.Parse(ex.record); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				dst = p.AppendInfo(dst[:0], &v, noNames{})
			}
		})
	}
}

// noNames knows nothing, and costs nothing.
type noNames struct{}

func (noNames) Thread(int64) (string, bool) { return "", false }
func (noNames) FD(int64) (FDName, bool)     { return FDName{}, false }
func (noNames) Cwd() string                 { return "/srv/" }
func (noNames) User(uint32) string          { return "" }
func (noNames) Group(uint32) string         { return "" }
