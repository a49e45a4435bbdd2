package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// usageWidth is how many columns the help has.
const usageWidth = 100

// NewFlagSet returns a set of options that is printed in the order in which
// they are defined, and that prints nothing by itself.
func NewFlagSet(name string) *pflag.FlagSet {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	return f
}

// Usage lists the options. It is pflag's list with two differences: it is
// without what pflag adds to some types ([=true|false], and quotes around the
// defaults of strings), and a name of the value that stands in front of the
// description, like in "`drop|block` what happens", is no part of it.
func Usage(f *pflag.FlagSet) string {
	plain := NewFlagSet("")
	f.VisitAll(func(flag *pflag.Flag) {
		name, text := pflag.UnquoteUsage(flag)
		if strings.HasPrefix(flag.Usage, "`") {
			text = strings.TrimPrefix(text, name+" ")
		}
		shown := *flag
		shown.Usage, shown.Value, shown.NoOptDefVal = text, untyped{flag.Value, name}, ""
		if shown.DefValue == "[]" { // an empty list
			shown.DefValue = ""
		}
		plain.AddFlag(&shown)
	})
	return optionalValue.ReplaceAllString(plain.FlagUsagesWrapped(usageWidth), "$1$2 ")
}

// optionalValue is the name of a value that may be left out, which stands at once
// behind its option.
var optionalValue = regexp.MustCompile(`(?m)^( +(?:-\w, )?--[\w-]+) (\[=[^]]*\])`)

// untyped is a value of which pflag knows no more than its name.
type untyped struct {
	pflag.Value
	name string
}

func (u untyped) Type() string { return u.name }

// Parse reads arguments. Its errors name the option.
func Parse(f *pflag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (see %s --help)", explain(err), f.Name())
}

// explain says in our words what pflag does not accept.
func explain(err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("unknown option: -%s", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown option: --%s", unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		return fmt.Errorf("--%s: a value is missing", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		return ValueError(invalid.GetFlag().Name, invalid.GetValue(), kind(invalid.GetFlag().Value.Type()))
	}
	return err
}

// kind is what a value of a type of pflag has to be.
func kind(typ string) string {
	switch {
	case typ == "bool":
		return "true or false"
	case strings.HasPrefix(typ, "int"):
		return "a whole number"
	}
	return "valid"
}

// ValueError is a bad value of an option.
func ValueError(option, value, want string) error {
	return fmt.Errorf("--%s: %q is not %s", option, value, want)
}
