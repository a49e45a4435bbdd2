package event

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pdig/pdig/syscalls"
)

// FuzzParse reads records that are anything, prints what can be read of them,
// and writes that again.
func FuzzParse(f *testing.F) {
	for _, ex := range examples(f) {
		f.Add(ex.record)
	}
	var (
		s = newSynth()
		e Encoder
	)
	for typ := range uint16(syscalls.NumEvents) {
		rec, err := s.event(&e, -1, typ, len(syscalls.Events[typ].Params))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(rec))
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		var v View
		if err := v.Parse(rec); err != nil {
			if v.Bytes() != nil || v.Info() != nil || v.NumParams() != 0 {
				t.Fatalf("a view beside %v", err)
			}
			return
		}
		if n, ok := Length(rec); !ok || n != v.Len() || n > len(rec) {
			t.Fatalf("length %d, %v; parsed %d of %d", n, ok, v.Len(), len(rec))
		}
		printAll(t, &v)
		encodeAgain(t, &v)
	})
}

func printAll(t *testing.T, v *View) {
	checkLine(t, v.Type(), v.Name())
	for data := DataDots; data <= DataBase64; data++ {
		p := Printer{Data: data, Long: data == DataBase64}
		for _, names := range []Names{fixture{}, noNames{}} {
			text := p.AppendInfo(nil, v, names)
			if data == DataDots || data == DataBase64 {
				checkLine(t, v.Type(), string(text))
			}
			// Nothing takes more than a few times what it is made of: no text
			// of a base path and 80 of flags per parameter.
			if max := 8*v.Len() + MaxParams*1024; len(text) > max {
				t.Fatalf("%d bytes of text from %d", len(text), v.Len())
			}
		}
		for i := -1; i <= v.NumParams(); i++ {
			p.AppendParam(nil, v, i, fixture{})
			v.Uint(i)
			v.Int(i)
			v.Str(i)
		}
	}
}

func encodeAgain(t *testing.T, v *View) {
	var e Encoder
	e.Begin(v.Time(), v.TID(), v.Type(), v.NumParams())
	long := false
	for i := range v.NumParams() {
		e.Bytes(v.Param(i))
		long = long || len(v.Param(i)) > MaxParam
	}
	used := int(v.start[v.NumParams()])
	long = long || used > MaxSize
	got, err := e.End()
	switch {
	case long && !errors.Is(err, ErrTooLong):
		t.Fatalf("got %v, want ErrTooLong", err)
	case long:
		return
	case err != nil:
		t.Fatal(err)
	}
	want := bytes.Clone(v.Bytes()[:used]) // without bytes behind the last value
	copy(want[offLen:], u32(used))
	if !bytes.Equal(got, want) {
		t.Fatalf("got %x, want %x", got, want)
	}
}

// FuzzEncoder makes the calls that the bytes of a program say, and keeps a
// list of the parameters beside them.
func FuzzEncoder(f *testing.F) {
	f.Add(uint16(7), 2, []byte{0, 8, 1, 3, 'a', 'b', 'c'})
	f.Add(uint16(324), 1, []byte{2, 1, 'a'})
	f.Add(uint16(7), 1, []byte{4, 6, 2, 'a', 'b', 7, 9, 3, 5})
	f.Add(uint16(23), 3, []byte{10, 8, 2, 0, 0, 80, 1, 2, 3, 4, 3, 3})
	f.Add(uint16(7), 1, []byte{8, 255, 255, 5})
	var e Encoder // one, so that what an input leaves behind would show in the next
	f.Fuzz(func(t *testing.T, typ uint16, params int, program []byte) {
		if len(program) > 200 {
			return
		}
		e.Begin(1, -1, typ, params)
		model := model{e: &e}
		for len(program) > 0 {
			program = model.step(program)
		}
		rec, err := e.End()
		if err != nil {
			if rec != nil {
				t.Fatal("a record beside an error")
			}
			return
		}
		var v View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if v.Len() != len(rec) || len(rec) > MaxSize || v.NumParams() != len(model.done) {
			t.Fatalf("length %d of %d, %d parameters of %d", v.Len(), len(rec), v.NumParams(), len(model.done))
		}
		for i, want := range model.done {
			if !bytes.Equal(v.Param(i), want) {
				t.Fatalf("parameter %d: got %x, want %x", i, v.Param(i), want)
			}
		}
	})
}

// model knows the parameters of an encoder that meets no error.
type model struct {
	e    *Encoder
	open []byte
	done [][]byte
}

func (m *model) step(program []byte) []byte {
	op, program := program[0], program[1:]
	var arg []byte
	if len(program) > 0 {
		n := min(int(program[0]), len(program)-1)
		arg = program[1 : 1+n]
	}
	skip := min(len(program), 1+len(arg))
	switch op % 11 {
	case 0:
		size := 1 << (len(arg) % 4)
		m.e.Int(size, 0x8877665544332211)
		m.done = append(m.done, binaryInt(size))
	case 1:
		m.e.Bytes(arg)
		m.done = append(m.done, arg)
	case 2:
		m.e.String(arg)
		m.done = append(m.done, append(bytes.Clone(arg), 0))
	case 3:
		m.e.Empty()
		m.done, skip = append(m.done, nil), 0
	case 4:
		m.e.Open()
		m.open, skip = nil, 0
	case 5:
		m.e.Close()
		m.done, skip = append(m.done, m.open), 0
	case 6:
		m.e.Append(arg)
		m.open = append(m.open, arg...)
	case 7:
		m.e.AppendInt(8, 0x8877665544332211)
		m.open, skip = append(m.open, binaryInt(8)...), 0
	case 8:
		room := m.e.Reserve(len(arg) * 300)
		m.e.Commit(copy(room, arg))
		m.open = append(m.open, arg...)
	case 9:
		m.e.Commit(len(arg))
		skip = 0
	case 10:
		m.e.SockAddr(arg)
		m.done = append(m.done, AppendSockAddr(nil, arg))
	}
	return program[skip:]
}

func binaryInt(size int) []byte { return u64(-0x778899AABBCCDDEF)[:size] }
