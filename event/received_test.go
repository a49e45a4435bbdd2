package event

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func received(list []byte) (all []Received) {
	for r, rest, ok := NextReceived(list); ok; r, rest, ok = NextReceived(rest) {
		all = append(all, r)
	}
	return all
}

func TestReceived(t *testing.T) {
	want := []Received{
		{FD: 5, Dir: true, Link: []byte("/tmp"), Local: []byte{}, Peer: []byte{}},
		{FD: -1, Link: []byte{}, Local: []byte{}, Peer: []byte{}},
		{FD: 1 << 30, Listens: true, Proto: 6, Link: []byte("socket:[7]"), Local: bytes.Repeat([]byte{1}, 128), Peer: bytes.Repeat([]byte{2}, 255)},
	}
	var list []byte
	for _, r := range want {
		list = r.AppendTo(list, 1<<16)
	}
	if diff := cmp.Diff(want, received(list)); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	truth := Truth{Object: []byte("/x"), Argument: []byte("/y"), Received: list}
	var v View
	if err := v.Parse(withTruth(t, truth)); err != nil {
		t.Fatal(err)
	}
	if got, ok := v.Truth(); !ok || !cmp.Equal(got, truth) {
		t.Errorf("%+v is read as %+v", truth, got)
	}
	for cut := range list {
		if n := len(received(list[:cut])); n >= len(want) {
			t.Errorf("%d descriptors in %d of %d bytes", n, cut, len(list))
		}
	}
}

// What does not fit is left out, and does not harm what is there.
func TestReceivedTooLong(t *testing.T) {
	one := (&Received{FD: 1}).AppendTo(nil, 100)
	for _, r := range []Received{
		{Link: []byte(strings.Repeat("x", 100))},
		{Link: make([]byte, 1<<16)},
		{Local: make([]byte, 256)},
		{Peer: make([]byte, 256)},
	} {
		limit := 1 << 20
		if len(r.Link) == 100 {
			limit = 100
		}
		if got := r.AppendTo(one, limit); !bytes.Equal(got, one) {
			t.Errorf("%d bytes became %d", len(one), len(got))
		}
	}
}

func FuzzReceived(f *testing.F) {
	f.Add((&Received{FD: 3, Link: []byte("pipe:[1]"), Local: []byte{1, 0}, Peer: []byte{2}}).AppendTo(nil, 100))
	f.Fuzz(func(t *testing.T, list []byte) {
		size := 0
		for _, r := range received(list) {
			size += len(r.AppendTo(nil, 1<<20))
		}
		if size > len(list) {
			t.Errorf("%d bytes of descriptors in %d", size, len(list))
		}
	})
}
