package shm

// The ring holds the bytes from tail up to head, both below size and counted
// modulo size. Equal cursors mean that it is empty, so it is never full to the
// last byte. Sizes are at most maxRing, so that no sum overflows.

// used is how many bytes wait for the reader.
func used(head, tail, size uint32) uint32 {
	if head >= tail {
		return head - tail
	}
	return size - tail + head
}

// advance moves a cursor by n, which is at most size.
func advance(cursor, n, size uint32) uint32 {
	if rest := size - cursor; n >= rest {
		return n - rest
	}
	return cursor + n
}

// copyIn writes b at a position of the ring, and on from its beginning when it
// reaches the end. b is not longer than the ring.
func copyIn(ring []byte, at uint32, b []byte) {
	n := copy(ring[at:], b)
	copy(ring, b[n:])
}

// copyOut is the reverse of copyIn: it fills b.
func copyOut(b, ring []byte, at uint32) {
	n := copy(b, ring[at:])
	copy(b[n:], ring)
}
