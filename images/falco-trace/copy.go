package main

import (
	"fmt"
	"io"

	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/internal/sys"
)

// copySelf puts this program into a directory.
func copySelf(args []string, stdout, stderr io.Writer) int {
	f := cli.NewFlagSet(program + " copy")
	help := f.BoolP("help", "h", false, "print this help")
	err := cli.Parse(f, args)
	switch {
	case *help:
		fmt.Fprintf(stdout, "usage: %s copy DIRECTORY\n\nPuts this program there, as DIRECTORY/%s; the directory is made if it is missing.\n\noptions:\n%s", program, program, cli.Usage(f))
		return 0
	case err == nil && (f.NArg() != 1 || f.Arg(0) == ""):
		err = fmt.Errorf("copy: want one directory, %q given", f.Args())
	}
	if err != nil {
		fail(stderr, err)
		return statusUsage
	}
	self, err := sys.Self()
	if err == nil {
		err = beside.Copy(self, f.Arg(0), program)
	}
	if err != nil {
		fail(stderr, fmt.Errorf("copy: %w", err))
		return statusFailed
	}
	return 0
}
