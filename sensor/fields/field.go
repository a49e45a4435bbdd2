package fields

import (
	"slices"
	"strings"

	"github.com/pdig/pdig/sensor/filter"
)

// getter adds the values of a field and reports whether the event has any.
type getter func(e *Event, a *argument, v *filter.Values) bool

// Field is a field that there is.
type Field struct {
	Name string
	Type filter.Type
	Desc string
	get  getter

	arg     argKind
	several filter.Several
	show    style
	bounds  bounds
	printed bool // its text is that of the printer, which keeps lines whole
	moment  bool // the time of the event, in an object nanoseconds
}

// argKind says what a field takes in brackets, or behind a dot.
type argKind uint8

const (
	noArg     argKind = iota
	indexArg          // [N], or nothing
	keyArg            // [NAME], or nothing
	suffixArg         // .NAME or [N], one of them
	nameArg           // .NAME, or nothing
	timeArg           // [TIME]
)

// argument is what a field was asked for with.
type argument struct {
	given  bool
	number bool // text is one
	text   string
	index  int    // of indexArg, and of suffixArg in brackets
	time   uint64 // of timeArg
	last   uint64 // of delta: the time of the event before
	at     []int8 // of a parameter's name: where it is in each event, -1 if nowhere
}

// style is how the values of numbers are written.
type style uint8

const (
	decimal style = iota
	hexadecimal
	octal
	padded // nine digits: what is left of a second
)

// bounds are what a field cannot be used for.
type bounds uint8

const (
	filterOnly bounds = 1 << iota
	noRight
	noTransformer
	firstInList
)

// Class is a group of fields.
type Class struct {
	Name, Desc string
	Fields     []Field
}

// Classes returns all fields.
func Classes() []Class { return classes }

var classes = []Class{
	{"evt", "the event itself", slices.Concat(evtFields, latencyFields, countFields, lengthFields, sourceFields, []Field{aroundField})},
	{"process", "the thread that the event is of, its process and their ancestors", slices.Concat(procFields, groupingFields, aboutFields)},
	{"user", "the effective user of the thread", userFields},
	{"group", "the effective group of the thread", groupFields},
	{"container", "the container that the thread is in", containerFields},
	{"fd", "the descriptor that the event is about", slices.Concat(fdFields, fileFields, protoFields, []Field{typesField})},
	{"fdlist", "the descriptors of a poll, joined by commas", listFields},
	{"syslog", "what a call has written to the system log", syslogFields},
	{"fs.path", "the paths of a call that has succeeded", pathFields},
	{"truth", "what a call has really worked on, as pdig has found it at its end", truthFields},
}

// lookup finds a field and what stands behind its name.
func lookup(name string) (f *Field, suffix string, ok bool) {
	if f = byName[name]; f != nil {
		return f, "", true
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '.' {
			continue
		}
		if f = byName[name[:i]]; f != nil && (f.arg == suffixArg || f.arg == nameArg) && i+1 < len(name) {
			return f, name[i+1:], true
		}
	}
	return nil, "", false
}

var byName = indexFields()

func indexFields() map[string]*Field {
	m := map[string]*Field{}
	for _, c := range classes {
		for i := range c.Fields {
			m[c.Fields[i].Name] = &c.Fields[i]
		}
	}
	return m
}

// nearest is the name of a field that is likely meant, "" if none comes near.
func nearest(name string) string {
	best, least := "", len(name)/3+2
	for _, c := range classes {
		for i := range c.Fields {
			known := c.Fields[i].Name
			if d := distance(strings.ToLower(name), known); d < least {
				best, least = known, d
			}
		}
	}
	return best
}

// maxNearest bounds the names that others are compared with.
const maxNearest = 64

// distance is how many bytes have to be put in, left out, replaced or swapped
// with their neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > maxNearest {
		return len(a)
	}
	var before, last, now [maxNearest + 1]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			now[j] = min(last[j], now[j-1]) + 1
			if a[i-1] == b[j-1] {
				now[j] = min(now[j], last[j-1])
			} else {
				now[j] = min(now[j], last[j-1]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}

// Names returns the names of all fields, sorted.
func Names() []string {
	var names []string
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
