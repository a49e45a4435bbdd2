package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pdig/pdig/event"
)

// Why a file cannot be read, or not to its end.
var (
	ErrFormat   = errors.New("not a capture file")
	ErrVersion  = errors.New("a capture of a newer format")
	ErrNoEvents = errors.New("no events in file")
	ErrCut      = errors.New("the file ends within a block")
	ErrBlock    = errors.New("lengths of a block contradict each other")
	ErrTooLarge = errors.New("a block is larger than an event can be")
	ErrMixed    = errors.New("a block that is no event stands among the events")
)

// A FormatError is a fault of a capture file.
type FormatError struct {
	File   string
	Offset int64 // of the block, in the unpacked file
	Err    error // one of those above, or why the file could not be read
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: offset %d: %v", e.File, e.Offset, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }

// Reader hands out the events of a capture file: a source of the sensor.
type Reader struct {
	file    string
	disk    *os.File // nil: there is none to close
	size    int64    // of a file that lies on a disk
	entries func(Entry)
	in      input
	block   int64 // offset of the current block
	skip    int   // its bytes that are still in the buffer
	section bool  // a section header was read
	order   order // of it and what follows
	events  bool  // the section has begun with its events
	err     error // ends the reading

	cpu    uint16
	hidden bool
	stats  event.Stats
	rec    []byte // a record that had to be converted
}

// Open opens a file, "-" standing for stdin. What it says besides events goes
// to entries, which may be nil, before the events that it counts for; an entry
// is valid until entries returns.
func Open(path string, stdin io.Reader, entries func(Entry)) (*Reader, error) {
	if path == "-" {
		r := NewReader(stdin, "stdin", entries)
		r.in.slow = true
		return r, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := NewReader(f, path, entries)
	r.disk = f
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		r.size = st.Size()
	} else {
		r.in.slow = true
	}
	return r, nil
}

// NewReader returns a reader of src, which errors call file. Nothing is read
// before the first Next.
func NewReader(src io.Reader, file string, entries func(Entry)) *Reader {
	if entries == nil {
		entries = func(Entry) {}
	}
	return &Reader{file: file, entries: entries, in: input{src: src}}
}

// Next returns the next event, borrowed until the following call. The record
// has its own length, behind which its truth may stand; what is in it was not checked. The error is io.EOF at the
// end of a file with at least one event, else a [*FormatError].
func (r *Reader) Next() ([]byte, error) {
	if rec := r.quick(); rec != nil {
		r.stats.Seen++
		r.stats.Delivered++
		return rec, nil
	}
	for r.err == nil {
		r.in.drop(r.skip)
		r.skip = 0
		rec, err := r.step()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		if err != nil {
			r.fail(err)
			break
		}
		if rec != nil {
			r.stats.Seen++
			r.stats.Delivered++
			return rec, nil
		}
	}
	return nil, r.err
}

// quick is [Reader.Next] for nearly all blocks: one with an event, in the order of this
// machine and complete in the buffer. It returns nil, having changed nothing, for all
// others and for whatever is wrong.
func (r *Reader) quick() []byte {
	if !r.events || r.order == foreign || r.err != nil {
		return nil
	}
	b := r.in.left(r.skip)
	if len(b) < headSize {
		return nil
	}
	typ, size := binary.NativeEndian.Uint32(b), uint64(binary.NativeEndian.Uint32(b[4:]))
	if typ != typeEvent2 || size > uint64(len(b)) || size > maxEventBlock || size < minBlock+2+event.HeaderSize {
		return nil
	}
	b = b[:size]
	if uint64(binary.NativeEndian.Uint32(b[size-trailerSize:])) != size {
		return nil
	}
	rec := b[headSize+2 : size-trailerSize]
	n := uint64(binary.NativeEndian.Uint32(rec[offLen:]))
	if n < event.HeaderSize || n > uint64(len(rec)) {
		return nil
	}
	r.cpu, r.hidden = binary.NativeEndian.Uint16(b[headSize:]), false
	r.in.drop(r.skip)
	r.block, r.skip = r.in.offset(), int(size)
	return withTruth(rec, int(n))
}

func (r *Reader) fail(err error) {
	if errors.Is(err, io.EOF) && r.stats.Seen > 0 {
		r.err = io.EOF
		return
	}
	switch {
	case errors.Is(err, io.EOF) && !r.section:
		err = ErrFormat
	case errors.Is(err, io.EOF):
		err = ErrNoEvents
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrCut
	}
	r.err = &FormatError{File: r.file, Offset: r.block, Err: err}
}

// step goes on by a block, and returns the event in it, if it has one.
func (r *Reader) step() ([]byte, error) {
	r.block = r.in.offset()
	head, err := r.in.peek(headSize)
	if err != nil {
		if !r.section && errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrFormat
		}
		return nil, err
	}
	typ, size := r.order.u32(head), r.order.u32(head[4:])
	if typ != typeSection && !r.section {
		return nil, ErrFormat
	}
	if size < minBlock && typ != typeSection {
		return nil, ErrBlock
	}
	switch typ {
	case typeEvent2:
		return r.event(size, maxEventBlock, 0)
	case typeEvent2Flags:
		return r.event(size, maxEventBlock, 4)
	case typeEventLarge:
		return r.event(size, maxLargeBlock, 0)
	case typeEventLargeFlags:
		return r.event(size, maxLargeBlock, 4)
	case typeEvent, typeEventOld:
		return r.event1(size, 0)
	case typeEventFlags:
		return r.event1(size, 4)
	case typeSection:
		return nil, r.newSection()
	}
	if r.events {
		return nil, ErrMixed
	}
	return nil, r.other(typ, size)
}

// payload returns what a block with an event holds: CPU, flags, record. The
// block stays in the buffer until the next one is asked for.
func (r *Reader) payload(size, most uint32, flags int) ([]byte, error) {
	if size > most {
		return nil, ErrTooLarge
	}
	block, err := r.in.peek(int(size))
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if r.order.u32(block[size-trailerSize:]) != size {
		return nil, ErrBlock
	}
	r.skip = int(size)
	r.events = true
	b := block[headSize : size-trailerSize]
	if len(b) < 2+flags+minRecord {
		return nil, ErrBlock
	}
	r.cpu, r.hidden = r.order.u16(b), false
	if flags > 0 {
		r.hidden = r.order.u32(b[2:])&flagHidden != 0
	}
	return b[2+flags:], nil
}

// event is the record of a block.
func (r *Reader) event(size, most uint32, flags int) ([]byte, error) {
	b, err := r.payload(size, most, flags)
	if err != nil {
		return nil, err
	}
	if len(b) < event.HeaderSize {
		return nil, ErrBlock
	}
	n := uint64(r.order.u32(b[offLen:]))
	if n < event.HeaderSize || n > uint64(len(b)) {
		return nil, ErrBlock
	}
	if r.order == foreign {
		r.rec = append(r.rec[:0], b[:n]...)
		turn(r.rec)
		return r.rec, nil
	}
	return withTruth(b, int(n)), nil
}

// newSection reads a section header. The payload tells the byte order that the
// length is in, and may be longer than what is known of it.
func (r *Reader) newSection() error {
	head, err := r.in.peek(headSize + sectionSize)
	if err != nil {
		if !r.section && errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrFormat
		}
		return err
	}
	o := !foreign
	if o.u32(head[8:]) != magic {
		if o = foreign; o.u32(head[8:]) != magic {
			return ErrFormat
		}
	}
	if o.u16(head[12:]) > majorVersion {
		return ErrVersion
	}
	size := o.u32(head[4:])
	r.order = o
	r.section, r.events = true, false
	r.entries(&Section{})
	return r.other(typeSection, size)
}

// other reads a block that is no event.
func (r *Reader) other(typ, size uint32) error {
	if size < minBlock {
		return ErrBlock
	}
	r.in.drop(headSize)
	l := &list{in: &r.in, order: r.order, left: int64(size) - minBlock}
	r.read(l, typ)
	l.skip(l.left)
	if l.err != nil {
		return l.err
	}
	trailer, err := r.in.wait(trailerSize)
	if err != nil {
		return err
	}
	r.in.drop(trailerSize)
	if r.order.u32(trailer) != size {
		return ErrBlock
	}
	return nil
}

// read hands out the entries of a block. A block of an unknown type has none.
func (r *Reader) read(l *list, typ uint32) {
	give := func(e Entry) {
		if l.err == nil {
			r.entries(e)
		}
	}
	switch typ {
	case typeMachine, typeMachineOld:
		give(l.machine())
	case typeFDs, typeFDsOld, typeFDs2:
		for tid := l.i64(); l.more(); {
			give(l.fd(tid, typ == typeFDs2))
		}
	case typeUsers, typeUsersOld, typeUsers2:
		for l.more() {
			give(l.user(typ == typeUsers2))
		}
	case typeInterfaces, typeInterfacesOld, typeInterfaces2:
		for l.more() {
			give(l.network(typ == typeInterfaces2))
		}
	default:
		if version := processVersion(typ); version > 0 {
			for l.more() {
				give(l.process(version))
			}
		}
	}
}

// Place says of the record that Next has returned on which CPU it was made, and
// whether it is there for the state only and not to be shown.
func (r *Reader) Place() (cpu uint16, hidden bool) { return r.cpu, r.hidden }

// Offset is where the block of the last record begins, in the unpacked file.
func (r *Reader) Offset() int64 { return r.block }

// Progress returns how much of the file was read, as it lies on the disk, and its
// size, 0 if that is not known. It may be called from any goroutine.
func (r *Reader) Progress() (read, size int64) {
	if r.size == 0 {
		return 0, 0
	}
	read, err := r.disk.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, 0 // closed
	}
	return read, r.size
}

// Stats counts the events that were read.
func (r *Reader) Stats() event.Stats { return r.stats }

// Close closes the file. What was read stays valid.
func (r *Reader) Close() error {
	if r.disk == nil {
		return nil
	}
	return r.disk.Close()
}
