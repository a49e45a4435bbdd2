package cmdline

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// needFiles is how many descriptors a run with a command opens at most, besides
// runtimeFiles of the Go runtime, which are open already.
const (
	needFiles    = 10
	runtimeFiles = 2
)

// checkFiles looks whether there will be descriptors enough: in the middle of a
// run the Go runtime answers a refusal with pages of its state.
func checkFiles() error {
	for range needFiles {
		fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%d descriptors are needed besides those that are open at the start: %w (ulimit -n)", needFiles+runtimeFiles, err)
		}
		defer unix.Close(fd)
	}
	return nil
}
