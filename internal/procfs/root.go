package procfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// nowhere is a root without any file.
const nowhere = os.DevNull

// Root is where the processes of the caller's pid namespace are described.
// That is /proc, unless it was mounted in another namespace (unshare --pid
// without --mount-proc): there the numbers are those of other processes. Then
// it is a proc file system that nobody else sees or, where that is not
// permitted, a path below which there is nothing, with an [ErrForeign]. The
// path stays the same.
func Root() (string, error) {
	if firstOnly.Load() {
		return first()
	}
	r := root()
	return r.path, r.err
}

// FirstOnly has Root be, from now on, where the processes of the first pid namespace are
// described, whose numbers a kernel tells. If /proc does not do that, Root is a path below which
// there is nothing, and the error an [ErrForeign]. own is the caller's number there, 0 if it is
// not known.
func FirstOnly() (own int, err error) {
	firstOnly.Store(true)
	if _, err := first(); err != nil {
		return 0, err
	}
	name, _ := os.Readlink("/proc/self")
	own, _ = strconv.Atoi(name)
	return own, nil
}

var firstOnly atomic.Bool

// FirstNamespace is what /proc/PID/ns/pid leads to in the first pid namespace: it has the number
// PROC_PID_INIT_INO (include/linux/proc_ns.h).
const FirstNamespace = "pid:[4026531836]"

var first = sync.OnceValues(func() (string, error) {
	ns, err := os.Readlink("/proc/1/ns/pid")
	if errors.Is(err, os.ErrPermission) {
		ns, err = os.Readlink("/proc/self/ns/pid") // who has no right to know is trusted
	}
	if err == nil && ns != FirstNamespace {
		return nowhere, ErrForeign
	}
	return "/proc", nil
})

// ErrForeign means that /proc describes the processes of another pid namespace.
var ErrForeign = errors.New("/proc belongs to another pid namespace")

var root = sync.OnceValue(func() (r struct {
	path string
	err  error
}) {
	r.path = "/proc"
	if !foreign() {
		return r
	}
	fd, err := mount()
	if err != nil {
		r.path, r.err = nowhere, fmt.Errorf("%w, and there can be no other: %w", ErrForeign, err)
		return r
	}
	r.path = fmt.Sprintf("/proc/self/fd/%d", fd) // a name that is right there too
	return r
})

// foreign reports whether the caller has another number in /proc than its own.
func foreign() bool {
	name, err := os.Readlink("/proc/self")
	if err != nil {
		return false // not mounted
	}
	pid, err := strconv.Atoi(name)
	return err == nil && pid != os.Getpid()
}

// mount returns the root of a new proc file system, which has no place among
// the mounts: fsopen(2), Linux 5.2.
func mount() (int, error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
}
