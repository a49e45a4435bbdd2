package shm

import (
	"bytes"
	"testing"
)

func TestCursors(t *testing.T) {
	for _, tt := range []struct {
		head, tail, size uint32
		used, free       uint32
	}{
		{0, 0, 8, 0, 7},
		{7, 7, 8, 0, 7},
		{1, 0, 8, 1, 6},
		{7, 0, 8, 7, 0},
		{0, 7, 8, 1, 6},
		{0, 1, 8, 7, 0},
		{6, 7, 8, 7, 0},
		{ringSizeA - 1, 0, ringSizeA, ringSizeA - 1, 0},
		{0, ringSizeA - 1, ringSizeA, 1, ringSizeA - 2},
		{maxRing - 2, maxRing - 1, maxRing, maxRing - 1, 0},
		{maxRing - 1, 0, maxRing, maxRing - 1, 0},
	} {
		if got := used(tt.head, tt.tail, tt.size); got != tt.used {
			t.Errorf("used(%d, %d, %d) = %d, want %d", tt.head, tt.tail, tt.size, got, tt.used)
		}
		if got := tt.size - 1 - used(tt.head, tt.tail, tt.size); got != tt.free {
			t.Errorf("free(%d, %d, %d) = %d, want %d", tt.head, tt.tail, tt.size, got, tt.free)
		}
	}
}

// TestCursorsAll compares every position and length of a small ring with the
// remainder.
func TestCursorsAll(t *testing.T) {
	const size = 16
	for tail := range uint32(size) {
		for n := range uint32(size + 1) {
			head := advance(tail, n, size)
			if want := (tail + n) % size; head != want {
				t.Errorf("advance(%d, %d, %d) = %d, want %d", tail, n, size, head, want)
			}
			if got := used(head, tail, size); got != n%size {
				t.Errorf("used(%d, %d, %d) = %d, want %d", head, tail, size, got, n%size)
			}
		}
	}
	if got := advance(maxRing-1, maxRing, maxRing); got != maxRing-1 {
		t.Errorf("once around the largest ring: %d, want %d", got, maxRing-1)
	}
}

func TestCopy(t *testing.T) {
	const size = 16
	for at := range uint32(size) {
		for n := range size {
			ring, want := make([]byte, size), make([]byte, size)
			in := make([]byte, n)
			for i := range in {
				in[i] = byte(i + 1)
				want[(int(at)+i)%size] = byte(i + 1)
			}
			copyIn(ring, at, in)
			if !bytes.Equal(ring, want) {
				t.Errorf("%d bytes at %d: got %v, want %v", n, at, ring, want)
			}
			out := make([]byte, n)
			copyOut(out, ring, at)
			if !bytes.Equal(out, in) {
				t.Errorf("%d bytes from %d: got %v, want %v", n, at, out, in)
			}
		}
	}
}
