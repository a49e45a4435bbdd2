package sys

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// selfLink is this program, even if its file has no name any more.
const selfLink = "/proc/self/exe"

// Self is a path by which this program can be read and executed. Without /proc it is
// what the program was called, as far as that names it.
func Self() (string, error) {
	if _, err := os.Stat(selfLink); err == nil {
		return selfLink, nil
	}
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("this program is not found, and there is no /proc: %w", err)
	}
	return path, nil
}
