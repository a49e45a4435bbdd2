package capture

import (
	"compress/gzip"
	"encoding/binary"
	"io"
)

// Writer writes a capture: what was known at its beginning, then events. After
// an error nothing is written any more; every method returns that error.
//
// What reaches the file ends with a whole block, so that a file whose writer was
// killed is a capture.
type Writer struct {
	file   io.Writer
	packed *gzip.Writer // nil: plain
	buf    []byte
	fresh  bool // nothing was added since the section began
	size   int64
	err    error
	// No event came since the last Flush.
	flushed bool

	// The list that is being written: its type, 0 for none, the thread of its
	// descriptors, and where in buf it begins.
	list   uint32
	thread int64
	start  int
}

// Sizes in a writer.
const (
	writeSize = 64 << 10
	// Lists of processes and of descriptors are split; of users and interfaces
	// readers know the last list only.
	splitSize = 32 << 10
	maxList   = 16 << 20
)

// NewWriter begins a capture in file, packed by gzip or not. Nothing is written
// before the first Flush or 64 KiB.
func NewWriter(file io.Writer, pack bool) *Writer {
	w := &Writer{file: file, buf: make([]byte, 0, 2*writeSize), fresh: true}
	if pack {
		w.packed = gzip.NewWriter(counter{w})
	}
	w.section()
	return w
}

// counter is the file behind the packer.
type counter struct{ w *Writer }

func (c counter) Write(b []byte) (int, error) {
	n, err := c.w.file.Write(b)
	c.w.size += int64(n)
	return n, err
}

func (w *Writer) section() {
	w.begin(typeSection)
	w.u32(magic)
	w.u16(majorVersion)
	w.u16(minorVersion)
	w.u64(^uint64(0)) // the length is not known
	w.end()
}

// Add writes an entry. Those of one kind stand together, threads before their
// descriptors; a [Section] begins anew.
func (w *Writer) Add(e Entry) {
	if _, ok := e.(*Section); ok {
		if !w.fresh {
			w.end()
			w.section()
			w.fresh = true
		}
		return
	}
	w.fresh = false
	w.entry(e)
	switch n := len(w.buf) - w.start; {
	case w.list == typeUsers2, w.list == typeInterfaces2:
		if n > maxList {
			w.end()
		}
	case n > splitSize:
		w.end()
	}
	w.overflow()
}

// Event writes an event, with its truth if that stands behind it. A hidden one changes the state of its reader and is not
// shown.
func (w *Writer) Event(cpu uint16, hidden bool, rec []byte) error {
	w.end()
	w.fresh, w.flushed = false, false
	flags := 0
	if hidden {
		flags = 4
	}
	rec = storable(rec, headSize+2+flags+trailerSize+3)
	size := (headSize + 2 + flags + len(rec) + trailerSize + 3) &^ 3
	large := size > maxEventBlock
	typ := uint32(typeEvent2)
	switch {
	case large && hidden:
		typ = typeEventLargeFlags
	case large:
		typ = typeEventLarge
	case hidden:
		typ = typeEvent2Flags
	}
	w.u32(typ)
	w.u32(uint32(size))
	w.u16(cpu)
	if hidden {
		w.u32(flagHidden)
	}
	w.buf = append(w.buf, rec...)
	w.pad(2 + flags + len(rec))
	w.u32(uint32(size))
	return w.overflow()
}

// Fresh reports whether nothing was written since the beginning.
func (w *Writer) Fresh() bool { return w.fresh }

// Size is how many bytes the file has, with those that are still to be written
// but for what they can be packed to.
func (w *Writer) Size() int64 { return w.size + int64(len(w.buf)) }

// Flush writes what is in the buffer.
func (w *Writer) Flush() error {
	w.end()
	if len(w.buf) == 0 && w.flushed {
		return w.err
	}
	w.flushed = true
	w.drain()
	if w.err == nil && w.packed != nil {
		w.err = w.packed.Flush()
	}
	return w.err
}

// Close ends the capture. The file is left open.
func (w *Writer) Close() error {
	w.end()
	w.drain()
	if w.err == nil && w.packed != nil {
		w.err = w.packed.Close()
	}
	return w.err
}

// overflow writes when the buffer is full and no list is open in it.
func (w *Writer) overflow() error {
	if len(w.buf) >= writeSize && w.list == 0 {
		w.drain()
	}
	return w.err
}

func (w *Writer) drain() {
	switch {
	case w.err != nil, len(w.buf) == 0:
	case w.packed != nil:
		_, w.err = w.packed.Write(w.buf)
	default:
		_, w.err = counter{w}.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// begin opens a block, end closes the open one.
func (w *Writer) begin(typ uint32) {
	w.end()
	w.list, w.start = typ, len(w.buf)
	w.u32(typ)
	w.u32(0)
}

func (w *Writer) end() {
	if w.list == 0 {
		return
	}
	w.pad(len(w.buf) - w.start - headSize)
	size := uint32(len(w.buf) - w.start + trailerSize)
	binary.NativeEndian.PutUint32(w.buf[w.start+4:], size)
	w.u32(size)
	w.list = 0
}

func (w *Writer) pad(payload int) {
	var zero [3]byte
	w.buf = append(w.buf, zero[:-payload&3]...)
}

func (w *Writer) u8(v uint8)   { w.buf = append(w.buf, v) }
func (w *Writer) u16(v uint16) { w.buf = binary.NativeEndian.AppendUint16(w.buf, v) }
func (w *Writer) u32(v uint32) { w.buf = binary.NativeEndian.AppendUint32(w.buf, v) }
func (w *Writer) u64(v uint64) { w.buf = binary.NativeEndian.AppendUint64(w.buf, v) }

// text writes a length and the bytes, as many as most at most.
func (w *Writer) text(s string, most int) {
	s = s[:min(len(s), most)]
	w.u16(uint16(len(s)))
	w.buf = append(w.buf, s...)
}
