package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

var (
	// ErrObject means that an object cannot be the part of a ring that its
	// name says: its size, its kind or its owner are wrong.
	ErrObject = errors.New("not usable as a ring")
	// ErrBusy means that another consumer reads the ring, see [BusyError].
	ErrBusy = errors.New("another consumer reads the ring")
	// ErrTakenOver means that another process has become the consumer, or has
	// ended the capture.
	ErrTakenOver = errors.New("the ring was taken over")
	// ErrCut means that an object was cut off under the mapping.
	ErrCut = errors.New("the ring was cut off under the mapping")
	// ErrClosed means that this end of the ring was closed.
	ErrClosed = errors.New("ring closed")
)

// ObjectError says what is wrong with an object and what can be done, in one
// line.
type ObjectError struct {
	Path    string
	Problem string
	Remedy  string
	Err     error // [ErrObject], or the system's error
}

func (e *ObjectError) Error() string {
	return "ring object " + e.Path + ": " + e.Problem + ": " + e.Remedy
}

func (e *ObjectError) Unwrap() error { return e.Err }

// BusyError is [ErrBusy] with the process that reads the ring.
type BusyError struct {
	Ring string
	PID  int
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("ring %s: %s: pid %d: end it, or use another --ring", e.Ring, ErrBusy.Error(), e.PID)
}

// Is makes a BusyError an [ErrBusy].
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// Remedies that several problems have.
const (
	remedyRemove    = "remove it while nobody uses it, or name another ring with --ring"
	remedyElsewhere = "name another place with --ring PATH"
)

// unusable is an object that is not what it should be.
func unusable(path, remedy, format string, args ...any) error {
	return &ObjectError{Path: path, Problem: fmt.Sprintf(format, args...), Remedy: remedy, Err: ErrObject}
}

// openError explains why an object that is there could not be opened.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		problem := "permission denied"
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			problem = fmt.Sprintf("permission denied: it belongs to user %d and has mode %#o", st.Uid, st.Mode&0o777)
		}
		return &ObjectError{path, problem, "run as that user, have the ring created with --ring-mode 0666, or use another --ring", err}
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return &ObjectError{path, "no regular file", remedyRemove, ErrObject}
	case errors.Is(err, unix.EROFS):
		return &ObjectError{path, "read-only file system", remedyElsewhere, err}
	case errors.Is(err, unix.ENOTDIR):
		return noDirectory(path, err)
	}
	return fmt.Errorf("ring object %s: open: %w", path, err)
}

// createError explains why an object could not be created.
func createError(path string, size int64, err error) error {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return noDirectory(path, err)
	case outOfSpace(err):
		return noSpace(path, size, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.EROFS):
		return &ObjectError{path, "cannot be created: " + dir + " is not writable", remedyElsewhere, err}
	}
	return fmt.Errorf("ring object %s: create: %w", path, err)
}

func outOfSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.ENOMEM)
}

func noDirectory(path string, err error) error {
	dir := filepath.Dir(path)
	return &ObjectError{path, "there is no directory " + dir, "mount a tmpfs there, or " + remedyElsewhere, err}
}

func noSpace(path string, size int64, err error) error {
	problem := fmt.Sprintf("%s is full: %d bytes are needed", filepath.Dir(path), size)
	return &ObjectError{path, problem, "make it larger (docker: --shm-size), or " + remedyElsewhere, err}
}
