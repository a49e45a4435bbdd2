package cmdline

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/sensor/top"
)

// checkTop refuses what prints events beside the tables.
func (o *options) checkTop() error {
	if !o.top {
		return nil
	}
	for _, name := range []string{"json", "msgpack", "format", "time", "data", "quiet"} {
		if o.flags.Changed(name) {
			return fmt.Errorf("--top and --%s exclude each other: no events are printed", name)
		}
	}
	return nil
}

// tables counts for --top and writes to w.
func tables(w io.Writer) *top.Top {
	cfg := top.Config{To: w}
	if f, ok := w.(*os.File); ok && terminal(f) {
		cfg.Size = func() (lines, columns int) { return sizeOf(f) }
	}
	return top.New(cfg)
}

// terminal reports whether a file is one.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// sizeOf is the size of a terminal; one that does not tell is an old one.
func sizeOf(f *os.File) (lines, columns int) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return 24, 80
	}
	return int(size.Row), int(size.Col)
}
