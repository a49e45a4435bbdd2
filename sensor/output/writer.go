package output

import (
	"fmt"
	"io"
	"time"
)

// Sizes and times of a [Writer].
const (
	bufferSize = 64 << 10
	maxDelay   = 500 * time.Millisecond
)

// Writer sends events in one format to one place. They wait in a buffer until it
// is full, until somebody calls Flush because the source is quiet, and not
// longer than half a second while more events come. After an error nothing is
// written any more. A Writer is used from one goroutine.
type Writer struct {
	to     io.Writer
	format Format
	buf    []byte
	oldest time.Time // of what is in buf
	err    error
}

// NewWriter returns a writer to w.
func NewWriter(w io.Writer, f Format) *Writer {
	return &Writer{to: w, format: f, buf: make([]byte, 0, bufferSize)}
}

// Write adds an event and reports whether its format shows it. The error is that
// of the place.
func (w *Writer) Write(e *Event) (shown bool, err error) {
	if w.err != nil {
		return false, w.err
	}
	now := time.Now()
	if len(w.buf) == 0 {
		w.oldest = now
	}
	before := len(w.buf)
	w.buf = w.format.Append(w.buf, e)
	shown = len(w.buf) > before
	if len(w.buf) >= bufferSize || now.Sub(w.oldest) >= maxDelay {
		return shown, w.Flush()
	}
	return shown, nil
}

// Flush writes what is in the buffer.
func (w *Writer) Flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	if _, err := w.to.Write(w.buf); err != nil {
		w.err = fmt.Errorf("output: %w", err)
	}
	w.buf = w.buf[:0]
	return w.err
}
