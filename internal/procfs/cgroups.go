package procfs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// MaxCgroups bounds Falco's list of cgroups, in bytes.
const MaxCgroups = 4096

// Controllers are those that Falco's kernel module lists, in its order. Its probes list
// the first few; the others are listed where they have a hierarchy of version 1: a process
// may be in the cgroup of its container in one of these only.
var Controllers = [...]string{
	"cpuset", "cpu", "cpuacct", "io", "memory", // few
	"devices", "freezer", "net_cls", "perf_event", "net_prio", "hugetlb", "pids", "rdma", "misc",
}

const few = 5

// Cgroups makes Falco's list of the content of /proc/PID/cgroup: for the
// controllers that it knows, in its order, the path, each with a NUL. The one
// hierarchy of version 2 stands for the first few.
func Cgroups(content []byte) []byte {
	var list []byte
	for i, want := range Controllers {
		for line := range bytes.Lines(content) {
			f := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte(":"), 3)
			if len(f) != 3 || len(f[1]) == 0 && i >= few || !hasController(string(f[1]), want) {
				continue
			}
			list = append(append(append(list, want...), '='), f[2]...)
			list = append(list, 0)
			break
		}
	}
	return BoundCgroups(list)
}

// BoundCgroups cuts a list that is too long.
func BoundCgroups(list []byte) []byte {
	if len(list) > MaxCgroups {
		list = list[:MaxCgroups]
		list[MaxCgroups-1] = 0
	}
	return list
}

// hasController reports whether a line of /proc/PID/cgroup with these
// controllers is about the one of that name.
func hasController(controllers, want string) bool {
	if controllers == "" {
		return true // version 2
	}
	if want == "io" {
		want = "blkio" // its name in version 1
	}
	return slices.Contains(strings.Split(controllers, ","), want)
}

// maxCgroupFile bounds what is read of a cgroup file: some hierarchies, each with a path.
const maxCgroupFile = 64 << 10

// ReadCgroups returns Falco's list of the cgroups of a process or thread.
func ReadCgroups(root string, tid int) ([]byte, error) {
	b, err := readFile(root, tid, "cgroup", maxCgroupFile)
	return Cgroups(b), err
}

// readFile returns the beginning of a file of a process or thread.
func readFile(root string, tid int, name string, most int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(root, strconv.Itoa(tid), name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
