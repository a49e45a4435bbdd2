package fields

import (
	"strconv"
	"strings"

	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// latencyFields are how long calls have taken.
var latencyFields = []Field{
	{Name: "evt.latency", Type: filter.Uint, Desc: "nanoseconds between the call and its end; 0 where it begins", get: nanos(latency, 1, 0)},
	{Name: "evt.latency.s", Type: filter.Uint, Desc: "their whole seconds", get: nanos(latency, 1e9, 0)},
	{Name: "evt.latency.ns", Type: filter.Uint, Desc: "their nanoseconds beyond those", get: nanos(latency, 1, 1e9), show: padded},
	{Name: "evt.latency.human", Type: filter.String, Desc: "the same with a unit: 10.30ms", get: latencyHuman},
	{Name: "evt.wait_latency", Type: filter.Uint, Desc: "evt.latency of calls that wait: sleep, poll, wait", get: waitLatency},
}

func latency(e *Event) uint64 { return e.State.Current().Latency }

func waitLatency(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(latency(e))
	return e.exit() && e.View.Info().Flags&syscalls.Waits != 0
}

func latencyHuman(e *Event, _ *argument, v *filter.Values) bool {
	e.buf = appendHuman(e.buf[:0], latency(e))
	v.Copy(e.buf)
	return true
}

// appendHuman appends nanoseconds as sysdig does: two digits behind the point of
// small numbers of a unit, minutes and seconds from a minute on, hours from an hour on.
func appendHuman(dst []byte, ns uint64) []byte {
	switch s := ns / 1e9; {
	case s >= 3600:
		dst = append(appendTwo(dst, s/3600), ':')
		dst = append(appendTwo(dst, s/60%60), ':')
		return appendTwo(dst, s%60)
	case s >= 60:
		dst = append(strconv.AppendUint(dst, s/60, 10), ':')
		return strconv.AppendUint(dst, s%60, 10)
	}
	for _, unit := range [...]struct {
		ns, whole uint64 // from whole on there is no fraction
		name      string
	}{{1e9, 0, "s"}, {1e6, 1e7, "ms"}, {1e3, 1e4, "us"}} {
		if ns < unit.ns {
			continue
		}
		dst = strconv.AppendUint(dst, ns/unit.ns, 10)
		if unit.whole == 0 || ns < unit.whole {
			hundredths := ns % unit.ns / (unit.ns / 100)
			dst = append(dst, '.', '0'+byte(hundredths/10), '0'+byte(hundredths%10))
		}
		return append(dst, unit.name...)
	}
	return append(strconv.AppendUint(dst, ns, 10), "ns"...)
}

// appendTwo appends a number with two digits at least.
func appendTwo(dst []byte, n uint64) []byte {
	if n < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, n, 10)
}

// countFields are 1 on the events that they count, and missing on others.
var countFields = []Field{
	{Name: "evt.count", Type: filter.Uint, Desc: "1", get: one(func(*Event) bool { return true })},
	{Name: "evt.count.exit", Type: filter.Uint, Desc: "1 where a call ends", get: one((*Event).exit)},
	{Name: "evt.count.error", Type: filter.Uint, Desc: "1 if the call has failed", get: one(func(e *Event) bool { return e.View.Failed() })},
	{Name: "evt.count.error.file", Type: filter.Uint, Desc: "1 if a call about a file has failed", get: failure(fileCall)},
	{Name: "evt.count.error.net", Type: filter.Uint, Desc: "1 if a call about a socket has failed", get: failure(netCall)},
	{Name: "evt.count.error.memory", Type: filter.Uint, Desc: "1 if a call about memory has failed", get: failure(memoryCall)},
	{Name: "evt.count.error.other", Type: filter.Uint, Desc: "1 if another call has failed", get: failure(otherCall)},
}

func one(is func(*Event) bool) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		v.Uint(1)
		return is(e)
	}
}

func failure(of callKind) getter {
	return one(func(e *Event) bool { return e.View.Failed() && e.callKind() == of })
}

type callKind uint8

const (
	otherCall callKind = iota
	fileCall
	netCall
	memoryCall
)

func (e *Event) callKind() callKind {
	info := e.View.Info()
	switch {
	case info.Class == syscalls.CategoryMemory:
		return memoryCall
	case info.Flags&syscalls.CreatesFD != 0 && info.Class == syscalls.CategoryFile:
		return fileCall
	case info.Flags&syscalls.CreatesFD != 0 && info.Class == syscalls.CategoryNet:
		return netCall
	}
	switch d, _, _ := e.descriptor(); d.Letter {
	case 'f', 'd':
		return fileCall
	case '4', '6', 'u':
		return netCall
	}
	return otherCall
}

// lengthFields are evt.buflen by what was read or written.
var lengthFields = []Field{
	{Name: "evt.buflen.in", Type: filter.Uint, Desc: "evt.buflen of calls that read", get: buflen(syscalls.ReadsFromFD, "")},
	{Name: "evt.buflen.out", Type: filter.Uint, Desc: "evt.buflen of calls that write", get: buflen(syscalls.WritesToFD, "")},
	{Name: "evt.buflen.file", Type: filter.Uint, Desc: "evt.buflen of files", get: buflen(anyDirection, "f")},
	{Name: "evt.buflen.file.in", Type: filter.Uint, Desc: "evt.buflen of reading files", get: buflen(syscalls.ReadsFromFD, "f")},
	{Name: "evt.buflen.file.out", Type: filter.Uint, Desc: "evt.buflen of writing files", get: buflen(syscalls.WritesToFD, "f")},
	{Name: "evt.buflen.net", Type: filter.Uint, Desc: "evt.buflen of sockets", get: buflen(anyDirection, "46")},
	{Name: "evt.buflen.net.in", Type: filter.Uint, Desc: "evt.buflen of receiving", get: buflen(syscalls.ReadsFromFD, "46")},
	{Name: "evt.buflen.net.out", Type: filter.Uint, Desc: "evt.buflen of sending", get: buflen(syscalls.WritesToFD, "46")},
}

const anyDirection = syscalls.ReadsFromFD | syscalls.WritesToFD

func buflen(direction syscalls.EventFlags, letters string) getter {
	return func(e *Event, a *argument, v *filter.Values) bool {
		if e.View.Info().Flags&direction == 0 || !evtBuflen(e, a, v) {
			return false
		}
		d, _, _ := e.descriptor()
		return letters == "" || strings.IndexByte(letters, d.Letter) >= 0
	}
}
