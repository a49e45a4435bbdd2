package event

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// withTruth is a record with a truth behind it.
func withTruth(t testing.TB, truth Truth) []byte {
	t.Helper()
	var e Encoder
	e.Begin(1, 2, 7, 1)
	e.Int(8, 3)
	rec, err := e.EndWith(&truth)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestTruth(t *testing.T) {
	long := []byte(strings.Repeat("/x", 2000))
	for _, want := range []Truth{
		{},
		{Object: []byte("/etc/passwd")},
		{Mismatch: OtherObject, Object: []byte("/a\x00\n\xff")},
		{Mismatch: ArgumentChanged, Argument: []byte("/b")},
		{Mismatch: ArgumentHidden, Argument: []byte("/c")},
		{Mismatch: ArgumentChanged | OtherObject, Object: long, Argument: long},
	} {
		rec := withTruth(t, want)
		var v View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		got, ok := v.Truth()
		if !ok || got.Mismatch != want.Mismatch || !bytes.Equal(got.Object, want.Object) || !bytes.Equal(got.Argument, want.Argument) {
			t.Errorf("%+v is read as %+v, %v", want, got, ok)
		}
		if n, _ := v.Uint(0); v.NumParams() != 1 || n != 3 {
			t.Errorf("the record is another one with a truth behind it")
		}
		if !bytes.Equal(v.Whole(), rec) || v.Len() == len(rec) || len(v.Bytes()) != v.Len() {
			t.Errorf("%d bytes of %d are the record", v.Len(), len(rec))
		}
		if err := v.Parse(v.Bytes()); err != nil {
			t.Fatal(err)
		}
		if _, ok := v.Truth(); ok {
			t.Error("a record without a truth has the one of the record before")
		}
	}
}

// What is cut or contradicts itself is no truth, and no reason to refuse its event.
func TestTruthDamaged(t *testing.T) {
	rec := withTruth(t, Truth{Mismatch: OtherObject, Object: []byte("/etc/passwd"), Argument: []byte("/x")})
	n, _ := Length(rec)
	var v View
	for cut := n; cut < len(rec); cut++ {
		if err := v.Parse(rec[:cut]); err != nil {
			t.Fatal(err)
		}
		if _, ok := v.Truth(); ok {
			t.Errorf("%d of %d bytes are a truth", cut-n, len(rec)-n)
		}
		if size, whole := TruthSize(rec[n:cut]); size != 0 || whole {
			t.Errorf("%d bytes: a truth of %d bytes, whole: %v", cut-n, size, whole)
		}
	}
	for at := n + offLen; at < n+truthHeader; at++ {
		for _, x := range []byte{0, 1, 0x7f, 0xff} {
			bad := bytes.Clone(rec)
			bad[at] = x
			if err := v.Parse(bad); err != nil {
				t.Fatal(err)
			}
			if truth, ok := v.Truth(); ok && len(truth.Object)+len(truth.Argument) > len(rec)-n {
				t.Errorf("byte %d: %+v", at, truth)
			}
		}
	}
}

// A truth for which a record leaves no room is left out.
func TestTruthTooLong(t *testing.T) {
	var e Encoder
	for _, size := range []int{MaxParam, MaxParam - 100, 10} {
		e.Begin(1, 2, 7, 1)
		e.Bytes(make([]byte, size))
		rec, err := e.EndWith(&Truth{Object: make([]byte, 1000)})
		if err != nil {
			t.Fatal(err)
		}
		var v View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if _, ok := v.Truth(); ok != (size == 10) {
			t.Errorf("a record of %d bytes has a truth: %v", v.Len(), ok)
		}
	}
}

func TestTruthAllocatesNothing(t *testing.T) {
	var e Encoder
	var v View
	truth := Truth{Mismatch: OtherObject, Object: []byte("/etc/passwd")}
	if n := testing.AllocsPerRun(100, func() {
		e.Begin(1, 2, 7, 1)
		e.Int(8, 3)
		rec, _ := e.EndWith(&truth)
		_ = v.Parse(rec)
		if got, ok := v.Truth(); !ok || got.Mismatch != OtherObject {
			t.Fatal("no truth")
		}
	}); n != 0 {
		t.Errorf("%v allocations per record, want 0", n)
	}
}

func FuzzTruth(f *testing.F) {
	rec := withTruth(f, Truth{Mismatch: OtherObject, Object: []byte("/etc/passwd"), Argument: []byte("/x")})
	n, _ := Length(rec)
	f.Add(rec[n:])
	f.Add(binary.NativeEndian.AppendUint64(nil, 1))
	f.Fuzz(func(t *testing.T, behind []byte) {
		var v View
		if err := v.Parse(append(rec[:n:n], behind...)); err != nil {
			t.Fatal(err)
		}
		truth, ok := v.Truth()
		if ok && len(truth.Object)+len(truth.Argument) > len(behind) {
			t.Errorf("%+v", truth)
		}
		if size, _ := TruthSize(behind); size > len(behind) || len(v.Whole()) != n+size {
			t.Errorf("a truth of %d bytes in %d, %d altogether", size, len(behind), len(v.Whole()))
		}
	})
}
