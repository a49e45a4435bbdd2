package shm

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
)

// life is what can be known of the process with some pid.
type life uint8

const (
	gone   life = iota // none, or one that its parent has not collected yet
	hidden             // there is one, and /proc does not show it
	living
)

// look finds the process with a pid in this pid namespace. The start time, in
// clock ticks since boot, tells it from an earlier or later one with the same
// pid; it is 0 unless the process lives and can be seen.
func look(pid int32) (start uint64, l life) {
	if pid <= 0 || errors.Is(unix.Kill(int(pid), 0), unix.ESRCH) {
		return 0, gone
	}
	proc, _ := procfs.Root()
	st, err := procfs.ReadStat(proc, int(pid))
	switch {
	case err != nil:
		return 0, hidden // mounted with hidepid, or not at all
	case st.Dead():
		return 0, gone
	}
	return st.StartTime, living
}
