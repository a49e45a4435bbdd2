package fields

import (
	"fmt"
	"strconv"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// Set holds the fields that conditions and formats use. It is what they are
// compiled with, a [filter.Schema], and what they are evaluated over, a
// [filter.Source].
type Set struct {
	bound []bound
	event *Event
	line  bool // what the printer makes of strings is for a line of text
}

// bound is a field with what it was asked for with.
type bound struct {
	field *Field
	arg   argument
	typ   filter.Type
	show  style
}

// NewSet returns a set without fields over an event, which changes from one to
// the next.
func NewSet(e *Event) *Set { return &Set{event: e} }

// Value adds the values of a field: [filter.Source].
func (s *Set) Value(ref int, v *filter.Values) bool {
	b := &s.bound[ref]
	s.event.printer.Verbatim = !s.line
	return b.field.get(s.event, &b.arg, v)
}

// Field returns a field for a condition: [filter.Schema].
func (s *Set) Field(name string, arg *string) (filter.Field, error) {
	ref, err := s.bind(name, arg)
	if err != nil {
		return filter.Field{}, err
	}
	b := &s.bound[ref]
	f := filter.Field{
		Ref: ref, Type: b.typ, Several: b.field.several,
		FirstInList:   b.field.bounds&firstInList != 0,
		Within:        b.field.arg == timeArg,
		NoRight:       b.field.bounds&noRight != 0,
		NoTransformer: b.field.bounds&noTransformer != 0,
	}
	if b.arg.given && f.Several == filter.Any {
		f.Several = filter.One
	}
	if b.field.Name == "evt.type" || b.field.Name == "syscall.type" {
		f.Check, f.Codes = checkType, typeCodes
	}
	return f, nil
}

// UnknownError is the name of a field that there is not.
type UnknownError struct {
	Name, Nearest string
}

// Error names the field, and one that may be meant.
func (e *UnknownError) Error() string {
	if e.Nearest == "" {
		return fmt.Sprintf("unknown field %q", e.Name)
	}
	return fmt.Sprintf("unknown field %q: is %s meant?", e.Name, e.Nearest)
}

// bind adds a field to the set and returns its number.
func (s *Set) bind(name string, arg *string) (int, error) {
	f, suffix, ok := lookup(name)
	if !ok {
		return 0, &UnknownError{name, nearest(name)}
	}
	b := bound{field: f, typ: f.Type, show: f.show}
	var err error
	switch {
	case suffix != "" && arg != nil:
		err = fmt.Errorf("%s takes nothing in brackets behind a name", f.Name)
	case suffix != "":
		err = b.suffix(suffix)
	case arg != nil:
		err = b.brackets(*arg)
	case f.arg == timeArg:
		err = fmt.Errorf("%s needs a time in brackets: %s[TIME]=MILLISECONDS", f.Name, f.Name)
	case f.arg == suffixArg:
		err = fmt.Errorf("%s needs a name behind a dot: %s.NAME", f.Name, f.Name)
	}
	if err != nil {
		return 0, err
	}
	s.bound = append(s.bound, b)
	return len(s.bound) - 1, nil
}

func (b *bound) suffix(name string) error {
	b.arg = argument{given: true, text: name}
	switch b.field.Name {
	case "evt.type.is":
		return checkType(name)
	case "evt.arg", "evt.rawarg":
		p := b.locate(name)
		if p == nil {
			return fmt.Errorf("%s: no event has a parameter %q", b.field.Name, name)
		}
		if b.field.Name == "evt.rawarg" {
			b.typ, b.show = rawType(p), rawStyle(p)
		}
	case "evt.abspath":
		if name != "src" && name != "dst" {
			return fmt.Errorf("%s is either %s.src or %s.dst", b.field.Name, b.field.Name, b.field.Name)
		}
	}
	return nil
}

// locate finds where a parameter is in each event, and returns one of that name.
func (b *bound) locate(name string) (p *syscalls.Param) {
	b.arg.at = make([]int8, syscalls.NumEvents)
	for typ := range b.arg.at {
		i := event.ParamIndex(uint16(typ), name)
		b.arg.at[typ] = int8(i)
		if i >= 0 && p == nil {
			p = &syscalls.Events[typ].Params[i]
		}
	}
	return p
}

func (b *bound) brackets(arg string) error {
	b.arg = argument{given: true, text: arg}
	switch {
	case b.field.arg == timeArg:
		return b.moment(arg)
	case b.field.arg == keyArg:
		n, err := strconv.ParseUint(arg, 10, 8)
		b.arg.index, b.arg.number = int(n), err == nil
		return nil
	case b.field.Name == typesField.Name:
		n, err := strconv.ParseUint(arg, 10, 31)
		if err != nil {
			return fmt.Errorf("%s[%s]: %q is not the number of a descriptor", b.field.Name, arg, arg)
		}
		b.arg.index = int(n)
		return nil
	case b.field.arg == indexArg, b.field.Name == "evt.arg":
		n, err := strconv.ParseUint(arg, 10, 8)
		if err != nil {
			return fmt.Errorf("%s[%s]: %q is not a number from 0 to 255", b.field.Name, arg, arg)
		}
		b.arg.index = int(n)
		return nil
	}
	return fmt.Errorf("%s takes nothing in brackets", b.field.Name)
}
