package sys

import "golang.org/x/sys/unix"

// Hide makes the process one that others of its user cannot look into. It can only be
// refused by a filter that refuses all of prctl.
func Hide() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
