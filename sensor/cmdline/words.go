package cmdline

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/sensor/fields"
	"github.com/pdig/pdig/sensor/filter"
)

// statusRefused is the exit status for a filter or format that is refused.
const statusRefused = 3

// refusedError is a refused filter or format.
type refusedError struct {
	what string
	err  *filter.Error
	hint string // what may be meant, or ""
}

func (e *refusedError) Error() string { return e.what + ": " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// refused makes the error of what was refused.
func refused(what string, err error) error {
	var e *filter.Error
	if errors.As(err, &e) {
		return &refusedError{what: what, err: e}
	}
	return err
}

// complainRefused writes what was refused and where.
func complainRefused(w io.Writer, err *refusedError) {
	complain(w, err)
	for line := range strings.Lines(err.err.Detail() + "\n") {
		fmt.Fprint(w, "  ", line)
	}
	if err.hint != "" {
		fmt.Fprintf(w, "  %s\n", err.hint)
	}
}

// takeWords reads options, and filter words between and behind them, up to the
// command. A word that is a negative number is no option.
func (o *options) takeWords(args []string) ([]string, error) {
	var words []string
	o.flags.SetInterspersed(false)
	for {
		if err := cli.Parse(o.flags, args); err != nil {
			return words, err
		}
		args = o.flags.Args()
		if o.flags.ArgsLenAtDash() == 0 {
			o.command, o.dash = args, true
			return words, nil
		}
		for first := true; len(args) > 0 && (first || negative(args[0])); first = false {
			words, args = append(words, args[0]), args[1:]
		}
		if len(args) == 0 {
			return words, nil
		}
	}
}

func negative(word string) bool {
	return len(word) > 1 && word[0] == '-' && word[1] >= '0' && word[1] <= '9'
}

// makeFilter compiles the words of the filter.
func (o *options) makeFilter(words []string) (err error) {
	text := strings.Join(words, " ")
	if len(words) == 0 {
		return nil
	}
	if o.filter, err = fields.NewFilter(text, &o.event); err == nil {
		return nil
	}
	err = refused("filter", err)
	var bad *refusedError
	switch first := words[0]; {
	case !errors.As(err, &bad):
	case o.flags.Changed("ebpf") && (strings.HasPrefix(first, "/") || strings.HasSuffix(first, ".o")):
		bad.hint = "a probe is named by --ebpf=FILE"
	case !o.dash && !strings.ContainsAny(first, ".("):
		bad.hint = "a command stands behind --"
	}
	return err
}

// listing prints what --list and --list-events ask for.
func (o *options) listing(w io.Writer) error {
	switch {
	case o.listEvents && o.json:
		return fields.ListEventsJSON(w)
	case o.listEvents:
		return fields.ListEvents(w)
	case o.json:
		return fields.ListJSON(w, o.class())
	}
	return fields.List(w, o.class())
}

// allClasses is the value of --list without one.
const allClasses = "all"

// class is the class of fields that is asked for, "" for all.
func (o *options) class() string {
	if o.list == allClasses {
		return ""
	}
	return o.list
}

func (o *options) checkFields() error {
	if class := o.class(); class != "" && !fields.HasClass(class) {
		return cli.ValueError("list", class, "a class of fields: "+fields.ClassNames())
	}
	return nil
}
