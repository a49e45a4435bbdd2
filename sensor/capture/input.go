package capture

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// input is a buffer over the bytes of a file, unpacked.
type input struct {
	src     io.Reader
	slow    bool // src may keep its reader waiting
	started bool
	buf     []byte
	at, end int
	base    int64 // offset of buf[0]
	err     error // of src; io.EOF at its end
}

// inputSize is what is read at once.
const inputSize = 256 << 10

// offset is where the next byte stands in the file.
func (in *input) offset() int64 { return in.base + int64(in.at) }

// peek returns the next n bytes, borrowed until the following call. If the file
// has fewer the error is io.ErrUnexpectedEOF, io.EOF if it has none.
func (in *input) peek(n int) ([]byte, error) {
	if in.end-in.at < n {
		if err := in.fill(n); err != nil {
			return nil, err
		}
	}
	return in.buf[in.at : in.at+n : in.at+n], nil
}

// left returns what is in the buffer behind n bytes that peek has returned.
func (in *input) left(n int) []byte { return in.buf[in.at+n : in.end] }

// wait is peek in the midst of a block that cannot be left half read.
func (in *input) wait(n int) ([]byte, error) {
	for {
		b, err := in.peek(n)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		default:
			return b, err
		}
	}
}

// drop goes on by n bytes, which peek has returned.
func (in *input) drop(n int) { in.at += n }

// fill reads until there are n bytes.
func (in *input) fill(n int) error {
	in.start()
	in.base += int64(in.at)
	in.end = copy(in.buf, in.buf[in.at:in.end])
	in.at = 0
	for idle := 0; in.end < n && in.err == nil; idle++ {
		if in.end == len(in.buf) {
			// Not by n at once: the file may claim more than it has.
			in.buf = append(in.buf, make([]byte, max(inputSize, len(in.buf)))...)
		}
		got, err := in.src.Read(in.buf[in.end:])
		in.end += got
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return err // what was asked for may still come
		}
		in.err = err
		if got > 0 {
			idle = 0
		} else if idle > 100 {
			in.err = io.ErrNoProgress
		}
	}
	switch {
	case in.end >= n:
		return nil
	case !errors.Is(in.err, io.EOF):
		return in.err
	case in.end == 0:
		return io.EOF
	}
	return io.ErrUnexpectedEOF
}

// start puts what is needed between the file and the buffer.
func (in *input) start() {
	if in.started {
		return
	}
	in.started = true
	in.src = &unpacker{src: bufio.NewReader(in.src)}
	if in.slow {
		in.src = newPump(in.src)
	}
}

// unpacker finds out by the first bytes whether a file is packed. Behind packed parts
// whatever is no other one is left alone, as gzip and sysdig do.
type unpacker struct {
	src     *bufio.Reader
	packed  *gzip.Reader // nil if the file is not
	started bool
}

func (u *unpacker) Read(b []byte) (int, error) {
	if !u.started {
		u.started = true
		if err := u.part(); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
	}
	if u.packed == nil {
		return u.src.Read(b)
	}
	n, err := u.packed.Read(b)
	if errors.Is(err, io.EOF) {
		err = u.part()
	}
	return n, err
}

// part begins the next packed part. Its error is io.EOF if there is none.
func (u *unpacker) part() (err error) {
	if head, _ := u.src.Peek(2); string(head) != "\x1f\x8b" {
		return io.EOF
	}
	if u.packed == nil {
		u.packed, err = gzip.NewReader(u.src)
	} else {
		err = u.packed.Reset(u.src)
	}
	if err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	u.packed.Multistream(false)
	return nil
}
