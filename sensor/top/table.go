package top

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pdig/pdig/event"
)

// redraw is how often a terminal shows the tables anew.
const redraw = time.Second

// Rows of the tables where no terminal bounds them.
const (
	topRows     = 10
	summaryRows = 20
)

// Tick shows the tables on the terminal, if it is time to.
func (t *Top) Tick() error {
	if t.cfg.Size == nil || time.Since(t.drawn) < redraw {
		return nil
	}
	t.drawn = time.Now()
	lines, columns := t.cfg.Size()
	// Each table has a line above and an empty one below.
	p := page{rows: max(1, lines/3-3), columns: columns, home: true}
	p.line(fmt.Sprintf("events: %d", t.events))
	t.tables(&p)
	return t.write(&p)
}

// End shows all that was counted.
func (t *Top) End() error {
	p := page{rows: topRows}
	if t.cfg.Size != nil {
		_, p.columns = t.cfg.Size()
		p.home = !t.drawn.IsZero()
	}
	p.line(fmt.Sprintf("events: %d", t.events))
	t.tables(&p)
	t.summary(&p)
	return t.write(&p)
}

func (t *Top) write(p *page) error {
	if p.home {
		p.WriteString("\x1b[J") // nothing of before below it
	}
	_, err := t.cfg.To.Write([]byte(p.String()))
	return err
}

func (t *Top) tables(p *page) {
	p.table("busiest calls", &t.calls, byCalls, nil, "calls", "errors", "time")
	p.table("busiest processes", &t.procs, byCalls, nil, "calls", "errors", "time")
	p.table("busiest files", &t.files, byBytes, nil, "calls", "read", "written")
}

func (t *Top) summary(p *page) {
	p.rows = summaryRows
	p.table("what ran", &t.ran, byCalls, nil, "times")
	p.table("what was written", &t.files, byWritten, func(c *count) bool { return c.out > 0 }, "written")
	p.table("who was talked to", &t.peers, byBytes, nil, "calls", "read", "written")
}

// page is text for a terminal or a file.
type page struct {
	strings.Builder
	rows    int  // of a table
	columns int  // 0: no limit
	home    bool // begins in the corner, over what is there
}

// line adds a line. What would end it or move the cursor is escaped.
func (p *page) line(s string) {
	if p.home && p.Len() == 0 {
		p.WriteString("\x1b[H")
	}
	s = string(event.AppendLine(nil, strings.ToValidUTF8(s, "\ufffd")))
	if p.columns > 0 && utf8.RuneCountInString(s) > p.columns {
		s = string([]rune(s)[:p.columns])
	}
	p.WriteString(s)
	if p.home {
		p.WriteString("\x1b[K") // what was behind it
	}
	p.WriteByte('\n')
}

// table adds the first of a ranking that are wanted, with what the columns name.
func (p *page) table(title string, r *ranking, o order, wanted func(*count) bool, columns ...string) {
	p.line("")
	head := ""
	for _, c := range columns {
		head += fmt.Sprintf("%10s", c)
	}
	p.line(head + "  " + title)
	shown, more := 0, int(r.forgotten)
	for _, c := range r.sorted(o) {
		if wanted != nil && !wanted(c) {
			continue
		}
		if shown++; shown > p.rows {
			more++
			continue
		}
		line := ""
		for _, column := range columns {
			line += fmt.Sprintf("%10s", c.cell(column))
		}
		if line += "  " + cmp.Or(c.text, "(no name)"); c.id != 0 {
			line += " (" + strconv.FormatInt(c.id, 10) + ")"
		}
		p.line(line)
	}
	switch {
	case r.forgotten > 0:
		p.line(fmt.Sprintf("%*s  and %d more, %d of them forgotten on the way to save memory", 10*len(columns), "", more, r.forgotten))
	case more > 0:
		p.line(fmt.Sprintf("%*s  and %d more", 10*len(columns), "", more))
	}
}

func (c *count) cell(column string) string {
	switch column {
	case "errors":
		return strconv.FormatUint(c.errors, 10)
	case "time":
		return short(time.Duration(c.ns))
	case "read":
		return size(c.in)
	case "written":
		return size(c.out)
	}
	return strconv.FormatUint(c.calls, 10)
}

// short is a duration with three digits.
func short(d time.Duration) string {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Truncate(unit).String()
		}
	}
}

// size is a number of bytes, of large ones with a unit.
func size(n uint64) string {
	f, unit := float64(n), ""
	for _, next := range []string{"K", "M", "G", "T"} {
		if f < 9999.5 {
			break
		}
		f, unit = f/1024, next
	}
	return strconv.FormatFloat(f, 'f', 0, 64) + unit
}
