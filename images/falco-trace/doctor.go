package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pdig/pdig/internal/cli"
	tracer "github.com/pdig/pdig/tracer/cmdline"
)

// doctor says what works here.
func doctor(args []string, stdout, stderr io.Writer) int {
	t := tracer.New(program)
	f := cli.NewFlagSet(program + " doctor")
	asJSON := f.Bool("json", false, "print JSON")
	help := f.BoolP("help", "h", false, "print this help")
	f.AddFlag(t.Flags().Lookup("ring"))
	f.AddFlag(t.Flags().Lookup("ring-mode"))
	form := "text"
	err := cli.Parse(f, args)
	if err == nil {
		err = cli.ParseEnvironment(f, variables, os.LookupEnv)
	}
	switch {
	case *help:
		fmt.Fprintf(stdout, "usage: %s doctor [options]\n\nTries what works here and what does not, and says what helps. The status is 0 if commands can\nbe run and watched, else 1.\n\noptions:\n%s", program, cli.Usage(f))
		return 0
	case *asJSON:
		form = "json"
	}
	if err == nil {
		err = t.Flags().Set("doctor", form)
	}
	if err == nil {
		err = t.Check(f.Args())
	}
	if err != nil {
		fail(stderr, err)
		return statusUsage
	}
	// They are for the commands of others, not for those that are tried.
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, variables) {
			_ = os.Unsetenv(name)
		}
	}
	return t.Examine(stdout, stderr, roleRun)
}
