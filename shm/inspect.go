package shm

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Condition is what can be seen of a ring without using it.
type Condition struct {
	Name        string
	Directory   string
	Total, Free uint64 // bytes of the file system; 0 where it does not tell
	Need        uint64 // bytes that have yet to be there
	Exists      bool
	Owner       uint32
	Mode        os.FileMode
	Size        int64 // of the ring
	Reader      int   // pid of the process that captures, 0 if there is none
	Unseen      bool  // and is not in this pid namespace: as a rule it has ended
}

// Inspect looks at a ring and leaves it as it is. The error is what a producer
// would get: one that is not there is tried for a moment, without a name.
func Inspect(cfg Config) (Condition, error) {
	size, err := cfg.size()
	if err != nil {
		return Condition{}, err
	}
	buf, descs, err := cfg.paths()
	if err != nil {
		return Condition{}, err
	}
	c := Condition{Name: buf[:len(buf)-len("_buf")], Directory: filepath.Dir(buf)}
	var fs unix.Statfs_t
	if unix.Statfs(c.Directory, &fs) == nil {
		c.Total, c.Free = fs.Blocks*uint64(fs.Bsize), fs.Bavail*uint64(fs.Bsize)
	}
	a := object{path: buf, size: size, mode: uint32(cfg.mode()), shared: cfg.shared()}
	b := object{path: descs, size: layoutFor(size, 0).create, mode: a.mode, shared: a.shared}
	bufFD, missing, err := a.inspect(&c)
	if err != nil {
		return c, err
	}
	defer unix.Close(bufFD)
	descsFD, missingToo, err := b.inspect(&c)
	if err != nil {
		return c, err
	}
	defer unix.Close(descsFD)
	if missing || missingToo {
		return c, nil
	}
	return c, c.inspect(bufFD, descsFD, buf, descs)
}

// inspect opens the object, or tries whether it could be created.
func (o *object) inspect(c *Condition) (fd int, missing bool, err error) {
	fd, err = o.openExisting()
	if !errors.Is(err, errMissing) {
		return fd, false, err
	}
	c.Need += uint64(o.size)
	fd, err = retryEINTR(func() (int, error) {
		return unix.Open(c.Directory, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		// What is left is to ask. The caller closes a descriptor in any case.
		if err = unix.Access(c.Directory, unix.W_OK|unix.X_OK); err == nil {
			return -1, true, nil
		}
	}
	if err == nil {
		if err = reserve(fd, o.size); errors.Is(err, unix.EOPNOTSUPP) {
			err = nil
		}
	}
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return -1, true, createError(o.path, o.size, err)
	}
	return fd, true, nil
}

// inspect looks at two open objects.
func (c *Condition) inspect(bufFD, descsFD int, buf, descs string) error {
	var bst, dst unix.Stat_t
	if err := errors.Join(unix.Fstat(bufFD, &bst), unix.Fstat(descsFD, &dst)); err != nil {
		return openError(buf, err)
	}
	c.Exists, c.Owner, c.Mode, c.Size = true, bst.Uid, os.FileMode(bst.Mode&0o777), bst.Size
	l, err := checkSizes(bst.Size, dst.Size, buf, descs)
	if err != nil {
		return err
	}
	var word [4]byte
	if n, err := unix.Pread(descsFD, word[:], int64(l.status+offCapturing)); err != nil || n < len(word) {
		return nil // it was cut off just now
	}
	if pid := int32(binary.NativeEndian.Uint32(word[:])); pid > 0 {
		_, life := look(pid)
		c.Reader, c.Unseen = int(pid), life == gone
	}
	return nil
}
