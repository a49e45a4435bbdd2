package cmdline

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/shm"
)

// self is what a reader of the ring is told of this tracer.
func (o *Options) self() shm.Tracer {
	t := shm.Tracer{Container: container(), Command: strings.Join(o.command, " ")}
	if o.attaches() {
		t.Command = fmt.Sprint("processes ", slices.Concat(o.attach.PIDs, o.attach.Trees))
	}
	return t
}

// container is the first digits of the id of the container that this is, as tools show
// them, or the name of the host: engines give it the same digits, Kubernetes the name of
// the pod.
func container() string {
	const digits = 12
	cgroups, _ := os.ReadFile("/proc/self/cgroup") // the name will do
	if id := procfs.ContainerID(string(cgroups)); id != "" {
		return id[:digits]
	}
	name, _ := os.Hostname()
	return name
}
