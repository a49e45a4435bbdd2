package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// object is one of the two files of a ring.
type object struct {
	path   string
	size   int64  // to create it with
	mode   uint32 // likewise
	shared bool   // others may own it
	first  []byte // contents that it begins with
	wait   bool   // for one that is empty to get a size
}

// identity tells a file from others that have or had its name.
type identity struct{ dev, ino uint64 }

func identify(st *unix.Stat_t) identity { return identity{st.Dev, st.Ino} }

// named returns what a path stands for now; ok is false if that is nothing.
func named(path string) (id identity, ok bool) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return identity{}, false
	}
	return identify(&st), true
}

var (
	// errVanished means that an object was removed while it was opened.
	errVanished = errors.New("removed while it was opened")
	// errMissing means that there is no object.
	errMissing = errors.New("no such ring object")
)

// open opens the object, or creates it when there is none and create is set.
// It may find that others were faster, or have removed what it opened; after
// errVanished the caller may try again.
func (o *object) open(create bool) (int, error) {
	fd, err := o.openExisting()
	if !errors.Is(err, errMissing) || !create {
		return fd, err
	}
	defer serialize(filepath.Dir(o.path))()
	if fd, err = o.openExisting(); !errors.Is(err, errMissing) {
		return fd, err
	}
	if err := o.create(); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, createError(o.path, o.size, err)
	}
	fd, err = o.openExisting()
	if errors.Is(err, errMissing) {
		return -1, errVanished
	}
	return fd, err
}

func (o *object) openExisting() (int, error) {
	// Not blocking, for what may turn out to be a pipe.
	fd, err := retryEINTR(func() (int, error) {
		return unix.Open(o.path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return -1, errMissing
	case err != nil:
		return -1, openError(o.path, err)
	}
	if err := o.check(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Another program creates an object in two steps, and nobody can see whether it
// is between them or was killed there.
const (
	emptyWait = time.Second
	emptyLook = time.Millisecond
)

// check looks at what was opened before anybody trusts it, and may wait until
// it has a size.
func (o *object) check(fd int) error {
	var st unix.Stat_t
	for deadline := time.Now().Add(emptyWait); ; time.Sleep(emptyLook) {
		if err := unix.Fstat(fd, &st); err != nil {
			return openError(o.path, err)
		}
		switch {
		case st.Mode&unix.S_IFMT != unix.S_IFREG:
			return unusable(o.path, remedyRemove, "no regular file")
		case !o.shared && st.Uid != 0 && int(st.Uid) != os.Geteuid():
			return unusable(o.path, "share the ring with --ring-mode 0666, use another --ring, or remove it",
				"it belongs to user %d, who sees and can change all that is in it", st.Uid)
		}
		// Creation by other programs can race in a way that leaves two files
		// of one name: only the one that the name stands for counts.
		if id, ok := named(o.path); !ok || id != identify(&st) || st.Nlink == 0 {
			return errVanished
		}
		switch {
		case st.Size > 0:
			return nil
		case !o.wait, time.Now().After(deadline):
			return unusable(o.path, remedyRemove, "it is empty")
		}
	}
}

// Waiting for others who create an object.
const (
	createWait = time.Second
	createLook = time.Millisecond
)

// serialize keeps others from creating an object in a directory until done is
// called. Each takes all the memory of an object before it knows whether it is
// the first, and /dev/shm of a container has room for a few only. Where
// somebody holds the lock for no good reason it is done without.
func serialize(dir string) (done func()) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	for deadline := time.Now().Add(createWait); time.Now().Before(deadline); time.Sleep(createLook) {
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			break
		}
	}
	return func() { unix.Close(fd) }
}

// create makes the object appear under its name complete, or not at all. The
// error is EEXIST if somebody else was faster.
func (o *object) create() error {
	err := o.createUnnamed()
	if err == nil || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOSPC) {
		return err
	}
	// A file system without such files, or no /proc; or what goes wrong again.
	f, err := os.CreateTemp(filepath.Dir(o.path), "."+filepath.Base(o.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := o.complete(f); err != nil {
		return err
	}
	return unix.Link(f.Name(), o.path)
}

// createUnnamed gives the object its name when it is complete, so that nothing
// is left in memory if this process is killed before: the limit of a container
// does that just when the memory is taken, and again at the next start.
func (o *object) createUnnamed() error {
	fd, err := retryEINTR(func() (int, error) {
		return unix.Open(filepath.Dir(o.path), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), o.path)
	defer f.Close()
	if err := o.complete(f); err != nil {
		return err
	}
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, o.path, unix.AT_SYMLINK_FOLLOW)
}

// complete gives a new file all but its name.
func (o *object) complete(f *os.File) error {
	fd := int(f.Fd())
	if err := unix.Fchmod(fd, o.mode); err != nil {
		return err
	}
	err := reserve(fd, o.size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = fill(f, o.size)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt(o.first, 0)
	return err
}

// reserve puts memory behind every byte up to size, so that writing there
// cannot end in a SIGBUS because the file system is full.
func reserve(fd int, size int64) error {
	_, err := retryEINTR(func() (int, error) { return 0, unix.Fallocate(fd, 0, 0, size) })
	return err
}

// fill is reserve for a file system that cannot: ramfs, NFS before 4.2.
func fill(f *os.File, size int64) error {
	zero := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(zero)) {
		if _, err := f.WriteAt(zero[:min(int64(len(zero)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

func retryEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
