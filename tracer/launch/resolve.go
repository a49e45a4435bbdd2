package launch

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Target is where a command may be found: the candidates in the order in which
// execvp would try them.
type Target struct {
	paths  []string
	denied bool // a candidate was refused with EACCES
}

// Path is the candidate that is tried first.
func (t Target) Path() string { return t.paths[0] }

// next drops the candidate that failed with errno. It reports whether execvp
// would go on with another one and there is one.
func (t *Target) next(errno unix.Errno) bool {
	if !t.goesOn(errno) || len(t.paths) == 1 {
		return false
	}
	t.paths = t.paths[1:]
	return true
}

// goesOn tells whether the search goes on after a candidate failed with errno.
func (t *Target) goesOn(errno unix.Errno) bool {
	switch errno {
	case unix.EACCES:
		t.denied = true
		return true
	case unix.ENOENT, unix.ENOTDIR, unix.ESTALE, unix.ENODEV, unix.ETIMEDOUT:
		return true
	}
	return false
}

// defaultPath is the C library's (confstr(_CS_PATH)) for an environment
// without PATH.
const defaultPath = "/bin:/usr/bin"

// nameMax is NAME_MAX of the kernel, which a file name in a directory obeys.
const nameMax = 255

// Resolve looks name up as execvp of the GNU C library does, with the
// credentials, the directory and the PATH of this process. The error is a
// [*StartError].
func Resolve(name string) (Target, error) {
	path, ok := os.LookupEnv("PATH")
	if !ok {
		path = defaultPath
	}
	t, errno := resolve(name, path)
	if errno != 0 {
		return Target{}, &StartError{Path: name, Errno: errno}
	}
	return t, nil
}

func resolve(name, path string) (Target, unix.Errno) {
	var t Target
	if strings.Contains(name, "/") {
		errno := executable(name)
		t.paths = []string{name}
		return t, errno
	}
	if name == "" {
		return t, unix.ENOENT
	}
	if len(name) > nameMax {
		return t, unix.ENAMETOOLONG
	}
	last := unix.ENOENT
	for dir := range strings.SplitSeq(path, ":") {
		if len(dir) >= unix.PathMax {
			continue
		}
		file := name
		if dir != "" {
			file = dir + "/" + name
		}
		errno := executable(file)
		if errno == 0 {
			t.paths = append(t.paths, file)
			continue
		}
		last = errno
		if !t.goesOn(errno) {
			break
		}
	}
	switch {
	case len(t.paths) > 0:
		return t, 0
	case t.denied:
		return t, unix.EACCES
	}
	return t, last
}

// executable returns the error with which execve would refuse the file because
// of where it is, what it is, or its permissions; what is in it execve itself
// will find out.
func executable(file string) unix.Errno {
	if len(file) >= unix.PathMax {
		return unix.ENAMETOOLONG
	}
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return errnoOf(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.EACCES
	}
	if err := unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS); err != nil {
		return errnoOf(err)
	}
	return 0
}
