package fields

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// Filter is a condition on events.
type Filter struct {
	set     *Set
	program *filter.Program
	codes   filter.Codes
}

// NewFilter compiles a condition on what e is. Errors are of type
// [*filter.Error].
func NewFilter(text string, e *Event) (*Filter, error) {
	set := NewSet(e)
	program, err := filter.Compile(text, set)
	if err != nil {
		return nil, err
	}
	return &Filter{set: set, program: program, codes: program.Codes()}, nil
}

// Match reports whether the event fulfils the condition. Most events are settled
// by their type.
func (f *Filter) Match() bool {
	return f.codes.Has(f.set.event.View.Type()) && f.program.Match(f.set)
}

// Wants reports whether the condition looks for a call by its name or that of an event
// of it: then it is no use without.
func (f *Filter) Wants(c *syscalls.Call) bool {
	for _, name := range f.program.Names() {
		if name == c.Name || c.SC != 0 && name == event.CallName(uint64(c.SC)) {
			return true
		}
		codes := typeNames[name]
		for _, enter := range c.Enter {
			if codes != nil && (codes.Has(enter) || codes.Has(enter+1)) {
				return true
			}
		}
	}
	return false
}
