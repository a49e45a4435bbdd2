package tracer

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
)

// A path means to its program what it means to nobody else: the program has a root
// and a working directory of its own, and /proc/self is itself. So a path that does
// not simply lead to the file that was opened is walked part by part, from the root
// and the directory of the program, with its number in the place of self.

// walk is a path that a thread has opened, and the file that this has given.
type walk struct {
	tid     int
	pids    []int // numbers of its process, one of each pid namespace: which its /proc is of is not known
	tids    []int // and of the thread
	dirfd   int32
	name    string
	flags   uint64 // of the open
	resolve uint64 // RESOLVE_* of openat2
	opened  identity
	path    string // of that file, as /proc shows it
	exec    bool   // it was executed
	scripts int    // that have led here

	root, dir int // descriptors
	rootID    identity
	links     int
}

// identity tells a file from others.
type identity struct{ dev, ino uint64 }

// Bounds of a walk: those of the kernel.
const (
	maxLinks = 40 // MAXSYMLINKS
	deleted  = " (deleted)"
)

// newWalk is a walk along the path that th has given to its call.
func (t *Tracer) newWalk(th *thread, dirfd int32, name []byte, opened identity, shown []byte) *walk {
	w := &walk{
		tid: th.tid, dirfd: dirfd, name: string(name), opened: opened, path: string(shown),
		pids: []int{th.proc.pid}, tids: []int{th.tid},
	}
	if th.proc.nested {
		if pids, tids := numbers(th.proc.pid, &t.proc), numbers(th.tid, &t.proc); len(pids) > 0 && len(pids) == len(tids) {
			w.pids, w.tids = pids, tids
		}
	}
	return w
}

// leads reports whether the path of w leads to its file, or nobody can tell.
func (s *served) leads(w *walk) bool {
	if s == nil || !s.mounts {
		return w.leads()
	}
	if !s.helper() {
		return true
	}
	leads, ok := answer(s, w.leads)
	return leads || !ok
}

func (w *walk) leads() bool {
	for i, pid := range w.pids {
		if w.leadsFor(pid, w.tids[i]) {
			return true
		}
	}
	return false
}

// leadsFor is leads if /proc/self is pid, and /proc/thread-self tid of it.
func (w *walk) leadsFor(pid, tid int) bool {
	var err error
	if w.root, err = w.start("root"); err != nil {
		return true
	}
	defer func() { unix.Close(w.root) }()
	if w.dir, err = w.begin(); err != nil {
		return true // a descriptor that is closed by now
	}
	defer func() { unix.Close(w.dir) }()
	if w.resolve&unix.RESOLVE_IN_ROOT != 0 {
		root, err := unix.FcntlInt(uintptr(w.dir), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return true
		}
		unix.Close(w.root)
		w.root = root
	}
	w.rootID, w.links = idOf(w.root), 0
	rest, err := w.walk(pid, tid)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		if w.exec && inProc(w.dir) {
			return true // a descriptor that the exec has closed
		}
		// What has been deleted meanwhile, a process that has ended, had that name.
		name := path.Join(strings.TrimSuffix(pathOf(w.dir), deleted), rest)
		return name == w.path || w.was(name)
	case err != nil:
		return true
	}
	id := idOf(w.dir)
	switch {
	case id == w.opened:
		return true
	case w.exec && !w.isProgram(pid, tid):
		return true // it was handed to the program that is executed
	case w.flags&unix.O_TMPFILE == unix.O_TMPFILE: // a file without a name, in that directory
		return strings.HasPrefix(w.path, strings.TrimSuffix(pathOf(w.dir), "/")+"/#")
	}
	return w.was(pathOf(w.dir)) // another file has taken its name
}

// was reports whether the file had a name until it was deleted.
func (w *walk) was(name string) bool {
	if name+deleted != w.path {
		return false
	}
	for _, root := range []string{"", procPath(w.tid, "root")} { // is it called so?
		var st unix.Stat_t
		if unix.Lstat(root+w.path, &st) == nil && w.opened == (identity{st.Dev, st.Ino}) {
			return false
		}
	}
	return true
}

// start opens a link of the thread's directory in /proc.
func (w *walk) start(link string) (int, error) {
	return unix.Open(procPath(w.tid, link), unix.O_PATH|unix.O_CLOEXEC, 0)
}

// begin opens the directory that the path begins in.
func (w *walk) begin() (int, error) {
	switch {
	case strings.HasPrefix(w.name, "/") && w.resolve&unix.RESOLVE_IN_ROOT == 0:
		return w.start("root")
	case w.dirfd == unix.AT_FDCWD:
		return w.start("cwd")
	}
	return w.start("fd/" + strconv.Itoa(int(w.dirfd)))
}

// walk goes along the path and leaves w.dir at its end. On an error it is at the
// directory in which the first part of the rest was not found.
func (w *walk) walk(pid, tid int) (rest string, err error) {
	parts := strings.Split(w.name, "/")
	for len(parts) > 0 {
		part := parts[0]
		parts = parts[1:]
		final := len(parts) == 0
		switch part {
		case "", ".":
			continue
		case "..":
			if idOf(w.dir) == w.rootID {
				continue
			}
		}
		next, err := unix.Openat(w.dir, part, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return path.Join(part, path.Join(parts...)), err
		}
		var st unix.Stat_t
		if err := unix.Fstat(next, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK || final && w.nofollow() {
			unix.Close(w.dir)
			w.dir = next
			continue
		}
		if w.links++; w.links > maxLinks {
			unix.Close(next)
			return "", unix.ELOOP
		}
		target, err := w.target(next, part, pid, tid)
		unix.Close(next)
		if err != nil {
			return "", err
		}
		if target == "" { // w.dir is there already
			continue
		}
		if target[0] == '/' {
			root, err := unix.FcntlInt(uintptr(w.root), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return "", err
			}
			unix.Close(w.dir)
			w.dir = root
		}
		parts = append(strings.Split(target, "/"), parts...)
	}
	return "", nil
}

// nofollow reports whether a link at the end of the path is what is opened.
func (w *walk) nofollow() bool {
	return w.flags&unix.O_NOFOLLOW != 0 || w.flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL
}

// target is where a link in w.dir leads. Links of /proc that lead to a file without
// regard to its name are followed.
func (w *walk) target(link int, name string, pid, tid int) (string, error) {
	if inProc(w.dir) {
		switch top := idOf(w.dir).ino == procRootIno; {
		case top && name == "self":
			return strconv.Itoa(pid), nil
		case top && name == "thread-self":
			return strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid), nil
		case !top:
			next, err := unix.Openat(w.dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)
			if err == nil {
				unix.Close(w.dir)
				w.dir = next
			}
			return "", err
		}
	}
	var b [maxPath]byte
	n, err := unix.Readlinkat(link, "", b[:])
	if n == 0 && err == nil {
		err = unix.ENOENT
	}
	return string(b[:max(n, 0)]), err
}

func inProc(dir int) bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(dir, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC
}

// procRootIno is the inode number of the top of a procfs (PROC_ROOT_INO).
const procRootIno = 1

func idOf(fd int) identity {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return identity{}
	}
	return identity{st.Dev, st.Ino}
}

// pathOf is the path of a descriptor of the tracer, as /proc shows it.
func pathOf(fd int) string {
	var b [maxPath]byte
	n, err := unix.Readlink(selfFD(fd), b[:])
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// selfFD is the path of a descriptor of the tracer.
func selfFD(fd int) string {
	proc, _ := procfs.Root()
	return proc + "/self/fd/" + strconv.Itoa(fd)
}
