package procfs

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// maxList bounds what is read of the arguments of a process, and of its environment.
const maxList = 4096

// ReadCmdline returns the beginning of the arguments of a process, each with its
// NUL. The error is [os.ErrNotExist] if there is no such process.
func ReadCmdline(root string, pid int) (string, error) {
	b, err := readFile(root, pid, "cmdline", maxList)
	return string(b), err
}

// ReadEnviron returns the beginning of the environment that the program of a process was
// started with, each variable with its NUL.
func ReadEnviron(root string, pid int) (string, error) {
	b, err := readFile(root, pid, "environ", maxList)
	return string(b), err
}

// ReadLoginUID returns who has logged in to the session of a process, all ones for
// nobody.
func ReadLoginUID(root string, pid int) uint32 {
	b, _ := readFile(root, pid, "loginuid", 32) // not every kernel has it
	id, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 32)
	if err != nil {
		return ^uint32(0)
	}
	return uint32(id)
}

// maxLimits bounds what is read of the limits of a process, a table of some lines.
const maxLimits = 4096

// ReadFDLimit returns how many descriptors a process may open, -1 for any number or if
// that is not known.
func ReadFDLimit(root string, pid int) int64 {
	b, _ := readFile(root, pid, "limits", maxLimits)
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte("Max open files"))
		if words := bytes.Fields(rest); ok && len(words) > 0 {
			if n, err := strconv.ParseInt(string(words[0]), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// ReadExe returns the path of the program of a process, as the kernel names it.
func ReadExe(root string, pid int) (string, error) {
	return os.Readlink(filepath.Join(root, strconv.Itoa(pid), "exe"))
}
