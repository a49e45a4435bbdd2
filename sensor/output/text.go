package output

import (
	"strconv"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/fields"
)

// Text is sysdig's line: number, local time, CPU, name, thread, direction, type
// and parameters, each followed by a blank.
type Text struct {
	Data   event.DataStyle // of raw bytes
	Clock  *fields.Event   // whose clock shows the time; nil: local time
	Colour bool            // for a terminal

	printer event.Printer
	clock   clock
}

// clock writes local times. Most are of the same second as the one before.
type clock struct {
	second uint64
	text   []byte // of the second; empty: none
}

func (c *clock) append(dst []byte, ns uint64) []byte {
	if s := ns / 1e9; s != c.second || len(c.text) == 0 {
		c.second = s
		c.text = time.Unix(int64(s), 0).AppendFormat(c.text[:0], "15:04:05.")
	}
	dst = append(dst, c.text...)
	rest := ns % 1e9
	for unit := uint64(1e8); unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(rest/unit%10))
	}
	return dst
}

// Append appends a line.
func (f *Text) Append(dst []byte, e *Event) []byte {
	dst = f.paint(dst, faint)
	dst = strconv.AppendUint(dst, e.Num, 10)
	dst = append(dst, ' ')
	if f.Clock != nil {
		dst = f.Clock.AppendTime(dst)
	} else {
		dst = f.clock.append(dst, e.View.Time())
	}
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(e.CPU), 10)
	dst = append(f.paint(dst, plain), ' ')
	dst = event.AppendLine(dst, e.Comm)
	dst = append(dst, " ("...)
	dst = strconv.AppendInt(dst, e.View.TID(), 10)
	dst = append(dst, ") "...)
	dst = append(dst, e.dir(), ' ')
	if e.View.Failed() {
		dst = f.paint(dst, red)
	} else {
		dst = f.paint(dst, bold)
	}
	dst = append(dst, e.View.Name()...)
	dst = append(f.paint(dst, plain), ' ')
	f.printer.Data = f.Data
	dst = e.appendInfo(dst, &f.printer)
	return append(dst, '\n')
}

// Ways to write on a terminal (ECMA-48, Select Graphic Rendition).
const (
	plain = "\x1b[m"
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	red   = "\x1b[1;31m"
)

// paint goes on in another way, if there are colours.
func (f *Text) paint(dst []byte, way string) []byte {
	if !f.Colour {
		return dst
	}
	return append(dst, way...)
}
