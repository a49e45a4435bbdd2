package fields

import (
	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/sensor/filter"
)

var containerFields = []Field{
	{Name: "container.id", Type: filter.String, Desc: "the first 12 digits of the container's id, host outside of containers", get: containerID(false)},
	{Name: "container.full_id", Type: filter.String, Desc: "all 64 digits", get: containerID(true)},
	{Name: "container.name", Type: filter.String, Desc: "host outside of containers; " + fromRuntime, get: onHost},
	{Name: "container.type", Type: filter.String, Desc: "host outside of containers; " + fromRuntime, get: onHost},
	{Name: "container.image", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.image.id", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.image.repository", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.image.tag", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.image.digest", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.privileged", Type: filter.Bool, Desc: fromRuntime, get: never},
	{Name: "container.mounts", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.mount", Type: filter.String, Desc: fromRuntime, get: never, arg: keyArg},
	{Name: "container.mount.source", Type: filter.String, Desc: fromRuntime, get: never, arg: keyArg},
	{Name: "container.mount.dest", Type: filter.String, Desc: fromRuntime, get: never, arg: keyArg},
	{Name: "container.mount.mode", Type: filter.String, Desc: fromRuntime, get: never, arg: keyArg},
	{Name: "container.mount.rdwr", Type: filter.String, Desc: fromRuntime, get: never, arg: keyArg},
	{Name: "container.mount.propagation", Type: filter.String, Desc: fromRuntime, get: never, arg: keyArg},
	{Name: "container.healthcheck", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.liveness_probe", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.readiness_probe", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.start_ts", Type: filter.Uint, Desc: fromRuntime, get: never},
	{Name: "container.duration", Type: filter.Uint, Desc: fromRuntime, get: never},
	{Name: "container.ip", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.cni.json", Type: filter.String, Desc: fromRuntime, get: never},
	{Name: "container.host_pid", Type: filter.Bool, Desc: fromRuntime, get: never},
	{Name: "container.host_network", Type: filter.Bool, Desc: fromRuntime, get: never},
	{Name: "container.host_ipc", Type: filter.Bool, Desc: fromRuntime, get: never},
}

// fromRuntime says of a field why it is missing.
const fromRuntime = "missing in a container: only its runtime knows"

func never(*Event, *argument, *filter.Values) bool { return false }

// onHost is what is known without a runtime: that there is no container.
func onHost(e *Event, _ *argument, v *filter.Values) bool {
	id, _ := e.container()
	v.Str(host)
	return id == ""
}

const host = "host"

// idDigits is how much of the id of a container is shown.
const idDigits = 12

// container is the id of the container that the thread is in, short and whole.
func (e *Event) container() (id, full string) {
	full = procfs.ContainerID(e.State.Current().Cgroups)
	if full == "" {
		return "", ""
	}
	return full[:idDigits], full
}

// containerID is the id, short or whole.
func containerID(whole bool) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		id, full := e.container()
		switch {
		case id == "":
			v.Str(host)
		case whole:
			v.Str(full)
		default:
			v.Str(id)
		}
		return true
	}
}
