package kernelsrc

import (
	"fmt"
	"os"
	"strings"
)

// CPUs returns the number of CPUs that there can be, and those that are online.
func CPUs() (possible int, online []int, err error) {
	all, err := cpuList("possible")
	if err != nil {
		return 0, nil, err
	}
	online, err = cpuList("online")
	if err != nil {
		return 0, nil, err
	}
	return all[len(all)-1] + 1, online, nil
}

// MaxCPUs bounds the numbers of CPUs.
const MaxCPUs = 8192

// cpuList reads a list of CPUs: 0-3,5.
func cpuList(name string) (cpus []int, err error) {
	path := "/sys/devices/system/cpu/" + name
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		var first, last int
		if n, _ := fmt.Sscanf(part, "%d-%d", &first, &last); n < 2 {
			last = first
		}
		if first < 0 || last >= MaxCPUs {
			return nil, fmt.Errorf("%s: CPU %d", path, last)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return cpus, nil
}
