package shm

// The ring holds the bytes from tail up to head, both below size and counted
// modulo size. Equal cursors mean that it is empty, so it is never full to the
// last byte.

// used is how many bytes wait for the reader.
func used(head, tail, size uint32) uint32 {
	if head >= tail {
		return head - tail
	}
	return size - tail + head
}

// free is how many bytes may be written.
func free(head, tail, size uint32) uint32 { return size - used(head, tail, size) - 1 }

// advance moves a cursor by n, which is at most size.
func advance(cursor, n, size uint32) uint32 {
	if rest := size - cursor; n >= rest {
		return n - rest
	}
	return cursor + n
}
