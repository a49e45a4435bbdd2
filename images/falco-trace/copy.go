package main

import (
	"fmt"
	"io"

	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/internal/sys"
)

// copySelf puts this program into a directory.
func copySelf(args []string, _, stderr io.Writer) int {
	if len(args) != 1 || args[0] == "" || args[0][0] == '-' {
		fail(stderr, fmt.Errorf("copy: want one directory, %q given", args))
		return statusUsage
	}
	self, err := sys.Self()
	if err == nil {
		err = beside.Copy(self, args[0], program)
	}
	if err != nil {
		fail(stderr, fmt.Errorf("copy: %w", err))
		return statusFailed
	}
	return 0
}
