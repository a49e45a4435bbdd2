package procfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// FD is an open descriptor of a process.
type FD struct {
	Number int
	Link   string // what the kernel calls it: a path, or pipe:[777] and the like
	Dir    bool   // a directory
}

// fdBatch is how many names of descriptors are read at a time.
const fdBatch = 256

// ReadFDs returns the descriptors of a process, at most limit of them. Those
// that are closed meanwhile are left out. The error is [os.ErrPermission] if
// the process may not be looked into.
func ReadFDs(root string, pid, limit int) ([]FD, error) {
	dir, err := os.Open(filepath.Join(root, strconv.Itoa(pid), "fd"))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var fds []FD
	for len(fds) < limit {
		names, err := dir.Readdirnames(min(fdBatch, limit-len(fds)))
		if err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return fds, fmt.Errorf("fd: %w", err)
		}
		for _, name := range names {
			if fd, ok := readFD(dir, name); ok {
				fds = append(fds, fd)
			}
		}
	}
	return fds, nil
}

// ReadFD returns a descriptor of a process, false if it has none of that number
// or may not be looked into.
func ReadFD(root string, pid, number int) (FD, bool) {
	dir, err := os.Open(filepath.Join(root, strconv.Itoa(pid), "fd"))
	if err != nil {
		return FD{}, false
	}
	defer dir.Close()
	return readFD(dir, strconv.Itoa(number))
}

// Socket is the inode of the socket that the descriptor is.
func (fd *FD) Socket() (ino uint64, ok bool) {
	n, ok := strings.CutPrefix(fd.Link, "socket:[")
	if !ok {
		return 0, false
	}
	ino, err := strconv.ParseUint(strings.TrimSuffix(n, "]"), 10, 64)
	return ino, err == nil
}

func readFD(dir *os.File, name string) (FD, bool) {
	n, err := strconv.Atoi(name)
	if err != nil {
		return FD{}, false
	}
	link, err := os.Readlink(filepath.Join(dir.Name(), name))
	if err != nil {
		return FD{}, false
	}
	fd := FD{Number: n, Link: link}
	// Only what has a path can be a directory.
	fd.Dir = link != "" && link[0] == '/' && isDir(int(dir.Fd()), name)
	return fd, true
}

// isDir asks for the type of what a descriptor stands for, and does not wait
// for a server that may be gone.
func isDir(dir int, name string) bool {
	var stx unix.Statx_t
	err := unix.Statx(dir, name, unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &stx)
	if err == nil {
		return stx.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	// Kernels before 4.11 lack the call, old container filters refuse it.
	var st unix.Stat_t
	return unix.Fstatat(dir, name, &st, 0) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}
