package fields

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pdig/pdig/syscalls"
)

// List writes the fields of a class, of all if it is "".
func List(w io.Writer, class string) {
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
			if f := &c.Fields[i]; f.bounds&hidden == 0 {
				fmt.Fprintf(w, "%-26s %-8s %s\n", f.Name+f.argText(), f.Type, f.Desc)
			}
		}
	}
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
	case keyArg:
		return "[NAME]"
	case suffixArg, nameArg:
		return ".NAME"
	}
	return ""
}

// ListEvents writes the events with their parameters, one a line.
func ListEvents(w io.Writer) {
	for code := range syscalls.Events {
		e := &syscalls.Events[code]
		if e.Flags&syscalls.Unused != 0 || e.Class == syscalls.CategoryInternal {
			continue
		}
		dir := "<"
		if syscalls.IsEnter(uint16(code)) {
			dir = ">"
		}
		var params []string
		for i := range e.Params {
			params = append(params, e.Params[i].Type.String()+" "+e.Params[i].Name)
		}
		fmt.Fprintf(w, "%s %s(%s)\n", dir, e.Name, strings.Join(params, ", "))
	}
}
