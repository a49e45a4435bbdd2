package procfs

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// maxCmdline bounds what is read of the arguments of a process.
const maxCmdline = 4096

// ReadCmdline returns the beginning of the arguments of a process, each with its
// NUL. The error is [os.ErrNotExist] if there is no such process.
func ReadCmdline(root string, pid int) (string, error) {
	f, err := os.Open(filepath.Join(root, strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCmdline))
	if err != nil {
		return "", fmt.Errorf("cmdline: %w", err)
	}
	return string(b), nil
}

// ReadExe returns the path of the program of a process, as the kernel names it.
func ReadExe(root string, pid int) (string, error) {
	return os.Readlink(filepath.Join(root, strconv.Itoa(pid), "exe"))
}
