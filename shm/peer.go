package shm

import (
	"github.com/pdig/pdig/internal/procfs"
)

// procRoot is where the processes of this pid namespace are described.
const procRoot = "/proc"

// startTime tells a process from an earlier or later one with its pid. ok is
// false if there is none, or only what its parent has not collected yet.
func startTime(pid int) (ticks uint64, ok bool) {
	st, err := procfs.ReadStat(procRoot, pid)
	if err != nil || st.Dead() {
		return 0, false
	}
	return st.StartTime, true
}

// alive reports whether there is such a process.
func alive(pid int) bool {
	_, ok := startTime(pid)
	return ok
}
