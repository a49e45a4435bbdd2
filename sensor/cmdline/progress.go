package cmdline

import (
	"fmt"
	"io"
	"time"

	"github.com/pdig/pdig/sensor/source"
)

// progressEvery is when it is said how far the reading of a file has come: never
// for most.
const progressEvery = time.Second

// measured is a file that knows how much of it was read.
type measured interface {
	Progress() (read, size int64)
}

// progress tells a terminal now and then how far the reading of a file has come,
// until it is ended. Terminals with the events on them are left alone.
func (p *program) progress(src source.Source) (end func()) {
	file, ok := src.(measured)
	if !ok || terminal(p.stderr) == nil || (p.writer != nil || p.top != nil) && terminal(p.to) != nil {
		return func() {}
	}
	return tellProgress(p.stderr, p.read, file, progressEvery)
}

// tellProgress leaves the cursor at the begin of the line, so that others write
// over it.
func tellProgress(w io.Writer, name string, file measured, every time.Duration) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		const erase = "\x1b[K"
		told := false
		for {
			select {
			case <-stop:
				if told {
					fmt.Fprint(w, erase)
				}
				return
			case <-tick.C:
			}
			if read, size := file.Progress(); size > 0 {
				fmt.Fprintf(w, erase+"%s: %d %%\r", name, min(100, 100*read/size))
				told = true
			}
		}
	}()
	return func() { close(stop); <-done }
}
