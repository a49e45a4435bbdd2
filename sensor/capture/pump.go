package capture

import (
	"io"
	"os"
	"time"
)

// pump reads ahead in a goroutine of its own, so that unpacking takes no time of
// the reader's and that a slow writer at the other end of a pipe holds nobody up.
type pump struct {
	full  chan chunk
	free  chan []byte
	chunk chunk
	left  []byte // of the chunk
	timer *time.Timer
}

type chunk struct {
	buf []byte
	n   int
	err error
}

// quiet is how long a Read waits.
const quiet = 100 * time.Millisecond

func newPump(src io.Reader) *pump {
	p := &pump{full: make(chan chunk, 2), free: make(chan []byte, 3), timer: time.NewTimer(quiet)}
	for range cap(p.free) {
		p.free <- make([]byte, inputSize/2)
	}
	go func() {
		for buf := range p.free {
			n, err := src.Read(buf)
			p.full <- chunk{buf, n, err}
			if err != nil {
				return
			}
		}
	}()
	return p
}

// Read returns os.ErrDeadlineExceeded if nothing comes for a while.
func (p *pump) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		if p.chunk.err != nil {
			return 0, p.chunk.err
		}
		if p.chunk.buf != nil {
			p.free <- p.chunk.buf
			p.chunk.buf = nil
		}
		p.timer.Reset(quiet)
		select {
		case p.chunk = <-p.full:
			p.left = p.chunk.buf[:p.chunk.n]
		case <-p.timer.C:
			return 0, os.ErrDeadlineExceeded
		}
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}
