package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Variable is the environment variable that stands for an option.
func Variable(prefix, option string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// ParseEnvironment gives the options that were not on the command line the values of
// their variables. An empty one is none. Variables of no option are not looked at:
// orchestrators make some for each service, with its name as a prefix.
func ParseEnvironment(f *pflag.FlagSet, prefix string, lookup func(string) (string, bool)) (err error) {
	f.VisitAll(func(flag *pflag.Flag) {
		name := Variable(prefix, flag.Name)
		value, _ := lookup(name)
		if value == "" || flag.Changed || err != nil {
			return
		}
		if bad := f.Set(flag.Name, value); bad != nil {
			err = fmt.Errorf("%s: %w", name, explain(bad))
		}
	})
	return err
}

// Join adds options to a set, except for those with one of the names, and those that
// are there already. An abbreviation that is taken is not used for another option.
func Join(to, from *pflag.FlagSet, except ...string) {
	without := map[string]bool{}
	for _, name := range except {
		without[name] = true
	}
	from.VisitAll(func(flag *pflag.Flag) {
		if without[flag.Name] || to.Lookup(flag.Name) != nil {
			return
		}
		if flag.Shorthand != "" && to.ShorthandLookup(flag.Shorthand) != nil {
			flag.Shorthand = ""
		}
		to.AddFlag(flag)
	})
}
