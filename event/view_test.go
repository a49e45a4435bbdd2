package event

import (
	"bytes"
	"errors"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var e Encoder
	e.Begin(1700000000123456789, 4242, 7, 2)
	e.Int(8, 6)
	e.Bytes([]byte("root:\n"))
	rec, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	var v View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	if n, ok := v.Int(0); n != 6 || !ok || !bytes.Equal(v.Param(1), []byte("root:\n")) || v.Param(2) != nil {
		t.Errorf("got %d %v, %q, %v", n, ok, v.Param(1), v.Param(2))
	}
	if err := v.Parse(rec[:HeaderSize-1]); !errors.Is(err, ErrTruncated) {
		t.Errorf("short header: got %v, want ErrTruncated", err)
	}
}
