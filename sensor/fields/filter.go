package fields

import "github.com/pdig/pdig/sensor/filter"

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
