package falcoplugin

import (
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// Bounds of a batch: it stays in the processor's cache.
const (
	batchEvents = 2048
	batchBytes  = 256 << 10
	addressSize = 8 // both architectures have 64 bits
)

// batch is what the host is given at once: records, and a table of their
// addresses.
type batch struct {
	memory []byte // the records, one behind the other
	table  []byte // their addresses
	base   uintptr
	used   int
	about  []about // the records, in their order
}

// about is what is known of a record that is not in it.
type about struct {
	at    uintptr
	whole []byte  // the record with that of its truth behind it
	from  *origin // nil: not of a ring
	lost  uint64  // records that were lost before it, and not told of yet
}

func newBatch() (*batch, error) {
	// There is room for one more record of any size, and what stands behind it.
	memory, err := newMemory(batchBytes + 2*event.MaxSize)
	if err != nil {
		return nil, err
	}
	table, err := newMemory(batchEvents * addressSize)
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(memory))
	}
	return &batch{memory: memory, table: table, base: address(memory), about: make([]about, 0, batchEvents)}, nil
}

func (b *batch) close() error { return errors.Join(unix.Munmap(b.memory), unix.Munmap(b.table)) }

func (b *batch) reset() { b.used, b.about = 0, b.about[:0] }

func (b *batch) full() bool { return b.used >= batchBytes || len(b.about) == batchEvents }

// add appends a record of at most [event.MaxSize] bytes.
func (b *batch) add(rec, truth []byte, from *origin, lost uint64) {
	binary.NativeEndian.PutUint64(b.table[len(b.about)*addressSize:], uint64(b.base)+uint64(b.used))
	start := b.used
	b.used += copy(b.memory[b.used:], rec)
	b.used += copy(b.memory[b.used:], truth)
	b.about = append(b.about, about{b.base + uintptr(start), b.memory[start:b.used], from, lost})
}

// holds reports whether an address is in the memory of the records.
func (b *batch) holds(at uintptr) bool { return at-b.base < uintptr(len(b.memory)) }

// find is the record at an address that the host was given.
func (b *batch) find(at uintptr) *about {
	i, ok := slices.BinarySearchFunc(b.about, at, func(a about, at uintptr) int {
		switch {
		case a.at < at:
			return -1
		case a.at > at:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &b.about[i]
}
