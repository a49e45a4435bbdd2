package procfs

import "strings"

// ContainerDigits is the length of the id of a container.
const ContainerDigits = 64

// monitor is what waits for a container, outside of it: crio-conmon-ID.scope.
const monitor = "conmon"

// ContainerID finds the id of a container in the cgroups of a thread, as its cgroup file
// and its events have them: a component of a path that is 64 hexadecimal digits, or has
// them between a dash and .scope.
func ContainerID(cgroups string) string {
	for rest := cgroups; rest != ""; {
		var part string
		i := strings.IndexAny(rest, "/\x00\n")
		if i < 0 {
			i = len(rest)
		}
		part, rest = rest[:i], rest[min(i+1, len(rest)):]
		part = strings.TrimSuffix(part, ".scope")
		engine, id := "", part
		if i := strings.LastIndexAny(part, "-:"); i >= 0 {
			engine, id = part[:i], part[i+1:]
		}
		if len(id) == ContainerDigits && isHex(id) && !strings.HasSuffix(engine, monitor) {
			return id
		}
	}
	return ""
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
