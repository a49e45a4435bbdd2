package cmdline

import (
	"fmt"
	"io"

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
	if f := terminal(w); f != nil {
		cfg.Size = func() (lines, columns int) { return sizeOf(f) }
	}
	return top.New(cfg)
}
