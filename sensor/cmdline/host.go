package cmdline

import (
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/pdig/pdig/internal/cli"
)

// Host is a program that has the sensor in it. That of sensor itself is empty.
type Host struct {
	// Tracer are the arguments before those of pdig with which the program is pdig too.
	// Nil: pdig is another program.
	Tracer []string
	// Variables is what the names of environment variables begin with that stand for
	// options. Empty: there are none.
	Variables string
}

// environment gives the options that were not on the command line the values of their
// variables, and a filter that is not there that of FILTER. In a container the variables
// are there for all roles of the program: one that says nothing to this source is not
// looked at.
func (h Host) environment(o *options, words []string) ([]string, error) {
	if h.Variables == "" {
		return words, nil
	}
	var without []string
	if o.read != "" {
		without = append(without, notRead...)
	}
	if len(o.command) > 0 {
		without = append(without, notCommand...)
	} else {
		without = append(append(without, forCommand...), "ring-size")
	}
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.flags.VisitAll(func(flag *pflag.Flag) {
		if !slices.Contains(without, flag.Name) {
			f.AddFlag(flag)
		}
	})
	if text := os.Getenv(cli.Variable(h.Variables, "filter")); text != "" && len(words) == 0 {
		words = []string{text}
	}
	return words, cli.ParseEnvironment(f, h.Variables, os.LookupEnv)
}
