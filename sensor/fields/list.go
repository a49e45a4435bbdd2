package fields

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pdig/pdig/syscalls"
)

// List writes the fields of a class, of all if it is "".
func List(to io.Writer, class string) error {
	w := bufio.NewWriter(to)
	found := false
	for _, c := range classes {
		if class != "" && class != c.Name {
			continue
		}
		if found {
			fmt.Fprintln(w)
		}
		found = true
		fmt.Fprintf(w, "%s: %s\n\n", c.Name, c.Desc)
		for i := range c.Fields {
			f := &c.Fields[i]
			fmt.Fprintf(w, "%-26s %-8s %s\n", f.Name+f.argText(), f.Type, f.Desc)
		}
	}
	return w.Flush()
}

// HasClass reports whether there is a class of that name.
func HasClass(class string) bool {
	return slices.ContainsFunc(classes, func(c Class) bool { return c.Name == class })
}

// ClassNames are the names of all classes.
func ClassNames() string {
	var names []string
	for _, c := range classes {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

func (f *Field) argText() string {
	switch f.arg {
	case indexArg:
		return "[N]"
	case timeArg:
		return "[TIME]"
	case keyArg:
		return "[NAME]"
	case suffixArg, nameArg:
		return ".NAME"
	}
	return ""
}

// shownEvent reports whether events of a code can be shown.
func shownEvent(e *syscalls.Event) bool {
	return e.Flags&syscalls.Unused == 0 && e.Class != syscalls.CategoryInternal
}

func direction(code int) string {
	if syscalls.IsEnter(uint16(code)) {
		return ">"
	}
	return "<"
}

// ListEvents writes the events with their parameters, one a line.
func ListEvents(to io.Writer) error {
	w := bufio.NewWriter(to)
	for code := range syscalls.Events {
		e := &syscalls.Events[code]
		if !shownEvent(e) {
			continue
		}
		var params []string
		for i := range e.Params {
			params = append(params, e.Params[i].Type.String()+" "+e.Params[i].Name)
		}
		fmt.Fprintf(w, "%s %s(%s)\n", direction(code), e.Name, strings.Join(params, ", "))
	}
	return w.Flush()
}
