package event

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEncoderErrors(t *testing.T) {
	read := func(e *Encoder, params int) { e.Begin(1, 2, 7, params) }
	for name, c := range map[string]struct {
		build func(e *Encoder)
		want  error
	}{
		"none":            {func(e *Encoder) { read(e, 0) }, nil},
		"no Begin":        {func(*Encoder) {}, ErrArity},
		"no Begin, Int":   {func(e *Encoder) { e.Int(8, 1) }, ErrArity},
		"too few":         {func(e *Encoder) { read(e, 2); e.Empty() }, ErrArity},
		"too many":        {func(e *Encoder) { read(e, 1); e.Empty(); e.Empty() }, ErrArity},
		"unknown type":    {func(e *Encoder) { e.Begin(1, 2, 65535, 0); e.Empty() }, ErrUnknownType},
		"negative":        {func(e *Encoder) { read(e, -1) }, ErrArity},
		"most":            {func(e *Encoder) { read(e, MaxParams); repeat(MaxParams, e.Empty) }, nil},
		"more than most":  {func(e *Encoder) { read(e, MaxParams+1) }, ErrArity},
		"not closed":      {func(e *Encoder) { read(e, 1); e.Open() }, ErrArity},
		"not opened":      {func(e *Encoder) { read(e, 1); e.Close() }, ErrArity},
		"opened twice":    {func(e *Encoder) { read(e, 2); e.Open(); e.Empty() }, ErrArity},
		"append, closed":  {func(e *Encoder) { read(e, 1); e.Append(nil); e.Empty() }, ErrArity},
		"reserve, closed": {func(e *Encoder) { read(e, 1); e.Reserve(1); e.Empty() }, ErrArity},
		"odd integer":     {func(e *Encoder) { read(e, 1); e.Int(3, 1) }, ErrLength},
		"commit too much": {func(e *Encoder) { read(e, 1); e.Open(); e.Reserve(4); e.Commit(5); e.Close() }, ErrLength},
		"commit nothing":  {func(e *Encoder) { read(e, 1); e.Open(); e.Reserve(4); e.Commit(0); e.Close() }, nil},
		"commit negative": {func(e *Encoder) { read(e, 1); e.Open(); e.Reserve(4); e.Commit(-1); e.Close() }, ErrLength},
		"commit twice": {func(e *Encoder) {
			read(e, 1)
			e.Open()
			e.Reserve(4)
			e.Commit(4)
			e.Commit(1)
			e.Close()
		}, ErrLength},
		"commit by itself": {func(e *Encoder) { read(e, 1); e.Open(); e.Commit(1); e.Close() }, ErrLength},
		"reserve negative": {func(e *Encoder) { read(e, 1); e.Open(); e.Reserve(-1); e.Close() }, ErrTooLong},
		"longest":          {func(e *Encoder) { read(e, 1); e.Bytes(make([]byte, MaxParam)) }, nil},
		"longest, u32":     {func(e *Encoder) { e.Begin(1, 2, 324, 1); e.Bytes(make([]byte, MaxParam)) }, nil},
		"too long":         {func(e *Encoder) { read(e, 1); e.Bytes(make([]byte, MaxParam+1)) }, ErrTooLong},
		"too long, string": {func(e *Encoder) { read(e, 1); e.String(make([]byte, MaxParam)) }, ErrTooLong},
		"too long, parts":  {func(e *Encoder) { read(e, 1); e.Open(); repeat(MaxParam/4+1, func() { e.AppendInt(4, 1) }); e.Close() }, ErrTooLong},
		"as much as there is room": {func(e *Encoder) {
			read(e, 2)
			e.Bytes(make([]byte, MaxParam))
			e.Open()
			e.Commit(len(e.Reserve(e.Room())))
			e.Close()
		}, nil},
		"room of a parameter": {func(e *Encoder) {
			read(e, 1)
			e.Open()
			e.AppendInt(4, 1)
			e.Commit(len(e.Reserve(e.Room())))
			e.Close()
		}, nil},
		"more than the room": {func(e *Encoder) { read(e, 1); e.Open(); e.Append(make([]byte, e.Room()+1)); e.Close() }, ErrTooLong},
		"longest record": {func(e *Encoder) {
			read(e, 2)
			e.Bytes(make([]byte, MaxParam))
			e.Bytes(make([]byte, MaxSize-HeaderSize-4-MaxParam))
		}, nil},
		"too long record": {func(e *Encoder) {
			read(e, 2)
			e.Bytes(make([]byte, MaxParam))
			e.Bytes(make([]byte, MaxSize-HeaderSize-3-MaxParam))
		}, ErrTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			c.build(&e)
			rec, err := e.End()
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want != nil {
				if rec != nil {
					t.Error("a record beside an error")
				}
				return
			}
			var v View
			if err := v.Parse(rec); err != nil || v.Len() != len(rec) {
				t.Errorf("parsed: %v, length %d of %d", err, v.Len(), len(rec))
			}
			// What went wrong, or right, is forgotten by the next event.
			read(&e, 1)
			e.Int(8, 6)
			if rec, err := e.End(); err != nil || len(rec) != HeaderSize+2+8 {
				t.Errorf("next: %v, %d bytes", err, len(rec))
			}
		})
	}
}

func repeat(n int, f func()) {
	for range n {
		f()
	}
}

// A parameter that is built in pieces, some of them read by another.
func TestEncoderInPlace(t *testing.T) {
	var e Encoder
	e.Begin(1, 2, 7, 2)
	e.Int(8, 5)
	e.Open()
	if b := e.Buf(); len(b) != 0 {
		t.Errorf("got %q at the start", b)
	}
	e.Append([]byte("ab"))
	n := copy(e.Reserve(100), "cdefgh")
	e.Commit(n - 1)
	if b := e.Buf(); string(b) != "abcdefg" {
		t.Errorf("got %q so far", b)
	}
	e.Buf()[0] = 'A'
	e.AppendInt(1, '!')
	e.Close()
	if b := e.Buf(); b != nil {
		t.Errorf("got %q of a closed parameter", b)
	}
	rec, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	var v View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	if got := v.Param(1); string(got) != "Abcdefg!" {
		t.Errorf("got %q", got)
	}
}

func TestEncoderLimits(t *testing.T) {
	var e Encoder
	e.Begin(1, 2, 7, 1)
	e.Open()
	if b := e.Reserve(MaxParam); len(b) != MaxParam || cap(b) != MaxParam {
		t.Errorf("got room for %d bytes, capacity %d, want %d", len(b), cap(b), MaxParam)
	}
	if b := e.Reserve(MaxParam + 1); b != nil {
		t.Errorf("got room for %d bytes", len(b))
	}
	if b := e.Buf(); b != nil {
		t.Errorf("got %d bytes after an error", len(b))
	}
	if _, err := e.End(); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
}

// What the encoder does by itself, a wrong width or a second copy of the
// lengths, would show in a record with u32 lengths.
func TestEncoderLarge(t *testing.T) {
	var e Encoder
	e.Begin(1, -1, 324, 1)
	e.String([]byte(`{"container":{}}`))
	rec, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{u64(1), u64(-1), u32(26 + 4 + 17), u16(324), u32(1), u32(17), []byte(`{"container":{}}` + "\x00")}, nil)
	if diff := cmp.Diff(want, rec); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	var v View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	if v.TID() != -1 || string(v.Str(0)) != `{"container":{}}` {
		t.Errorf("got %d %q", v.TID(), v.Str(0))
	}
}
