package doctor

import (
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Names of limits.
const (
	limitFiles     = "RLIMIT_NOFILE"
	limitAddresses = "RLIMIT_AS"
	limitData      = "RLIMIT_DATA"
	limitPids      = "pids.max"
	limitMemory    = "memory.max"
)

// examineLimits reads what the tracer cannot raise. It needs of it, beside what
// the command needs, what docs/pdig.md says.
func examineLimits() (list []Limit) {
	for _, l := range []struct {
		name     string
		resource int
		need     uint64
	}{
		{limitFiles, unix.RLIMIT_NOFILE, 9},
		{limitAddresses, unix.RLIMIT_AS, 800 << 20},
		{limitData, unix.RLIMIT_DATA, 50 << 20},
	} {
		var limit unix.Rlimit
		if unix.Getrlimit(l.resource, &limit) == nil {
			list = append(list, Limit{l.name, limit.Max, l.need})
		}
	}
	for _, line := range strings.Split(text("/proc/self/cgroup"), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[1] == "":
			list = group(list, "/sys/fs/cgroup"+parts[2], "pids.max", "pids.current", "memory.max")
		case parts[1] == "pids", parts[1] == "memory":
			list = group(list, "/sys/fs/cgroup/"+parts[1]+parts[2], "pids.max", "pids.current", "memory.limit_in_bytes")
		}
	}
	return list
}

// group appends the limits of a control group, as far as they can be seen.
func group(list []Limit, dir, pids, now, memory string) []Limit {
	const threads, bytes = 7, 24 << 20 // the ring and the tracer
	number := func(name string) (uint64, bool) {
		n, err := strconv.ParseUint(text(filepath.Join(dir, name)), 10, 63)
		return n, err == nil
	}
	if limit, ok := number(pids); ok {
		used, _ := number(now)
		list = append(list, Limit{limitPids, limit - min(used, limit), threads})
	}
	if limit, ok := number(memory); ok {
		list = append(list, Limit{limitMemory, limit, bytes})
	}
	return list
}
