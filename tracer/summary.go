package tracer

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// summary counts calls by name, those without a name together.
type summary struct {
	calls [len(syscalls.Calls) + 1]callCount
	lost  func() [event.NumCauses]uint64 // records, by cause; nil if nobody counts them
}

// callCount is what a summary says of one system call.
type callCount struct {
	calls, errors, drops uint64
	time                 uint64 // ns between the halves
	mismatches           uint64 // see truth.go
}

// of returns the counters for a spec.
func (s *summary) of(sp *spec) *callCount {
	if sp.index < 0 {
		return &s.calls[len(syscalls.Calls)]
	}
	return &s.calls[sp.index]
}

// entered notes the entry of a call.
func (t *Tracer) entered(c *call) {
	if t.sum != nil && c.spec.report {
		c.since = t.clock()
		t.sum.of(c.spec).calls++
	}
}

// left notes the exit of a call.
func (t *Tracer) left(c *call) {
	if t.sum == nil || !c.spec.report {
		return
	}
	n := t.sum.of(c.spec)
	n.time += t.clock() - c.since
	if c.ret < 0 && c.ret >= -maxErrno {
		n.errors++
	}
}

// dropped notes a record that will not be delivered.
func (t *Tracer) dropped(c *call) {
	if t.sum != nil && c.spec != nil {
		t.sum.of(c.spec).drops++
	}
}

// maxErrno is the kernel's MAX_ERRNO: results from here on are errors.
const maxErrno = 4095

// write prints the table, the calls that took most time first.
func (s *summary) write(w io.Writer) error {
	type row struct {
		name string
		callCount
	}
	var rows []row
	total := row{name: "total"}
	for i, c := range s.calls {
		if c.calls == 0 && c.drops == 0 {
			continue
		}
		name := "<unknown>"
		if i < len(syscalls.Calls) {
			name = syscalls.Calls[i].Name
		}
		rows = append(rows, row{name, c})
		total.calls += c.calls
		total.errors += c.errors
		total.drops += c.drops
		total.time += c.time
		total.mismatches += c.mismatches
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(b.calls, a.calls), cmp.Compare(a.name, b.name))
	})
	const line = "------ ----------- ----------- --------- --------- --------- ----------------\n"
	out := "% time     seconds  usecs/call     calls    errors     drops syscall\n" + line
	for i, r := range append(rows, total) {
		if i == len(rows) {
			out += line
		}
		share := 100 * float64(r.time) / float64(max(total.time, 1))
		out += fmt.Sprintf("%6.2f %11.6f %11d %9d %9s %9s %s\n", share, time.Duration(r.time).Seconds(),
			r.time/1000/max(r.calls, 1), r.calls, some(r.errors), some(r.drops), r.name)
	}
	if total.mismatches > 0 {
		out += "did something else than their events say:"
		for _, r := range rows {
			if r.mismatches > 0 {
				out += fmt.Sprintf(" %s %d", r.name, r.mismatches)
			}
		}
		out += "\n"
	}
	_, err := io.WriteString(w, out+s.losses())
	return err
}

// losses is a line that says why records did not reach the reader, as far as this side
// knows: empty if all did.
func (s *summary) losses() string {
	if s.lost == nil {
		return ""
	}
	out := ""
	for cause, n := range s.lost() {
		if n > 0 {
			out += fmt.Sprintf(", %d %s", n, event.Cause(cause))
		}
	}
	if out == "" {
		return ""
	}
	return "lost:" + out[1:] + "\n"
}

// some is n, or nothing for 0.
func some(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
