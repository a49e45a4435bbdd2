package fields

import (
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

var evtFields = []Field{
	{Name: "evt.num", Type: filter.Uint, Desc: "number of the event, from 1", get: evtNum},
	{Name: "evt.time", Type: filter.String, Desc: "local time with nanoseconds", get: clock(timeOfDay, false), moment: true},
	{Name: "evt.outputtime", Type: filter.String, Desc: "the time as --time says", get: evtOutputTime, moment: true},
	{Name: "evt.time.s", Type: filter.String, Desc: "local time, whole seconds", get: clock(time.TimeOnly, false), moment: true},
	{Name: "evt.time.iso8601", Type: filter.String, Desc: "date and time in UTC, as in ISO 8601", get: clock(iso8601, true), moment: true},
	{Name: "evt.datetime", Type: filter.String, Desc: "local date and time with nanoseconds", get: clock(dateAndTime, false), moment: true},
	{Name: "evt.datetime.s", Type: filter.String, Desc: "local date and time, whole seconds", get: clock(time.DateTime, false), moment: true},
	{Name: "evt.rawtime", Type: filter.Uint, Desc: "nanoseconds since the Unix epoch", get: nanos(rawTime, 1, 0)},
	{Name: "evt.rawtime.s", Type: filter.Uint, Desc: "its whole seconds", get: nanos(rawTime, 1e9, 0)},
	{Name: "evt.rawtime.ns", Type: filter.Uint, Desc: "its nanoseconds beyond those", get: nanos(rawTime, 1, 1e9), show: padded},
	{Name: "evt.reltime", Type: filter.Uint, Desc: "nanoseconds since the first event", get: nanos(relTime, 1, 0), show: padded},
	{Name: "evt.reltime.s", Type: filter.Uint, Desc: "their whole seconds", get: nanos(relTime, 1e9, 0)},
	{Name: "evt.reltime.ns", Type: filter.Uint, Desc: "their nanoseconds beyond those", get: nanos(relTime, 1, 1e9), show: padded},
	{Name: "evt.deltatime", Type: filter.Uint, Desc: "nanoseconds since the event before", get: delta(1, 0)},
	{Name: "evt.deltatime.s", Type: filter.Uint, Desc: "their whole seconds", get: delta(1e9, 0)},
	{Name: "evt.deltatime.ns", Type: filter.Uint, Desc: "their nanoseconds beyond those", get: delta(1, 1e9), show: padded},
	{Name: "evt.dir", Type: filter.String, Desc: "> where a call begins and for single events, < where it has ended", get: evtDir},
	{Name: "evt.type", Type: filter.String, Desc: "name of the event: open", get: evtType},
	{Name: "evt.type.is", Type: filter.Uint, Desc: "1 for events of that type, else 0: evt.type.is.open", get: evtTypeIs, arg: suffixArg},
	{Name: "syscall.type", Type: filter.String, Desc: "name of the system call; missing on other events", get: syscallType},
	{Name: "evt.category", Type: filter.String, Desc: "file, net, IPC, memory, process, signal, user and so on", get: evtCategory},
	{Name: "evt.cpu", Type: filter.Int, Desc: "number of the CPU", get: evtCPU},
	{Name: "evt.args", Type: filter.String, Desc: "all parameters, each as name=text", get: evtArgs, printed: true},
	{Name: "evt.arg", Type: filter.String, Desc: "one parameter as text, by name or number: evt.arg.flags, evt.arg[0]", get: evtArg, arg: suffixArg, printed: true},
	{Name: "evt.rawarg", Type: filter.String, Desc: "one parameter in its own type: evt.rawarg.res", get: evtRawArg, arg: suffixArg, bounds: noRight | noTransformer},
	{Name: "evt.info", Type: filter.String, Desc: "the same as evt.args; of a message to the system log its severity and text", get: evtInfo, printed: true},
	{Name: "evt.buffer", Type: filter.Bytes, Desc: "data that was read, written, sent or received", get: evtBuffer},
	{Name: "evt.buflen", Type: filter.Uint, Desc: "how many bytes were read, written, sent or received", get: evtBuflen},
	{Name: "evt.res", Type: filter.String, Desc: "SUCCESS, or the name of the error", get: evtRes},
	{Name: "evt.rawres", Type: filter.Int, Desc: "result as a number", get: evtRawRes},
	{Name: "evt.failed", Type: filter.Bool, Desc: "the result is an error", get: evtFailed},
	{Name: "evt.is_io", Type: filter.Bool, Desc: "the call reads or writes a descriptor", get: hasFlags(syscalls.ReadsFromFD | syscalls.WritesToFD)},
	{Name: "evt.is_io_read", Type: filter.Bool, Desc: "the call reads a descriptor", get: hasFlags(syscalls.ReadsFromFD)},
	{Name: "evt.is_io_write", Type: filter.Bool, Desc: "the call writes a descriptor", get: hasFlags(syscalls.WritesToFD)},
	{Name: "evt.io_dir", Type: filter.String, Desc: "read or write", get: evtIODir},
	{Name: "evt.is_wait", Type: filter.Bool, Desc: "the call waits: sleep, poll, wait", get: hasFlags(syscalls.Waits)},
	{Name: "evt.abspath", Type: filter.String, Desc: "absolute path that a call names by a directory and a path; .src and .dst of two", get: evtAbspath, arg: nameArg},
	{Name: "evt.is_open_read", Type: filter.Bool, Desc: "the call opens a file for reading", get: opens(openRead)},
	{Name: "evt.is_open_write", Type: filter.Bool, Desc: "the call opens a file for writing", get: opens(openWrite)},
	{Name: "evt.is_open_exec", Type: filter.Bool, Desc: "the call creates a file that can be executed", get: opens(openExec)},
	{Name: "evt.is_open_create", Type: filter.Bool, Desc: "the call has created a file", get: opens(openCreate)},
}

// Layouts of times.
const (
	timeOfDay   = "15:04:05.000000000"
	dateAndTime = "2006-01-02 15:04:05.000000000"
	iso8601     = "2006-01-02T15:04:05.000000000-0700"
)

func clock(layout string, utc bool) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		ns := e.View.Time()
		at := time.Unix(int64(ns/1e9), int64(ns%1e9))
		if utc {
			at = at.UTC()
		}
		e.buf = at.AppendFormat(e.buf[:0], layout)
		v.Copy(e.buf)
		return true
	}
}

func nanos(of func(*Event) uint64, unit, modulo uint64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		ns := of(e) / unit
		if modulo > 0 {
			ns %= modulo
		}
		v.Uint(ns)
		return true
	}
}

func rawTime(e *Event) uint64 { return e.View.Time() }
func relTime(e *Event) uint64 { return e.View.Time() - min(e.First, e.View.Time()) }

// delta counts from the event for which the field was asked before: in a format
// from the one that is printed before, in a condition from the one that came as
// far as there.
func delta(unit, modulo uint64) getter {
	return func(e *Event, a *argument, v *filter.Values) bool {
		now, ns := e.View.Time(), uint64(0)
		if a.last != 0 {
			ns = now - min(a.last, now)
		}
		a.last = now
		ns /= unit
		if modulo > 0 {
			ns %= modulo
		}
		v.Uint(ns)
		return true
	}
}

func hasFlags(flags syscalls.EventFlags) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		v.Bool(e.View.Info().Flags&flags != 0)
		return true
	}
}

func evtNum(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(e.Num)
	return true
}

func evtCPU(e *Event, _ *argument, v *filter.Values) bool {
	v.Int(int64(e.CPU))
	return true
}

func (e *Event) exit() bool { return !syscalls.IsEnter(e.View.Type()) }

func evtDir(e *Event, _ *argument, v *filter.Values) bool {
	if e.exit() {
		v.Str("<")
	} else {
		v.Str(">")
	}
	return true
}

func evtType(e *Event, _ *argument, v *filter.Values) bool {
	v.Str(e.View.Name())
	return true
}

func evtTypeIs(e *Event, a *argument, v *filter.Values) bool {
	v.Bool(e.View.Name() == a.text)
	return true
}

func syscallType(e *Event, _ *argument, v *filter.Values) bool {
	if !isCall[e.View.Type()] {
		return false
	}
	v.Str(e.View.Name())
	return true
}

func evtIODir(e *Event, _ *argument, v *filter.Values) bool {
	switch flags := e.View.Info().Flags; {
	case flags&syscalls.ReadsFromFD != 0 && flags&syscalls.WritesToFD != 0 && e.newest():
		v.Str("write") // copy_file_range
	case flags&syscalls.ReadsFromFD != 0:
		v.Str("read")
	case flags&syscalls.WritesToFD != 0:
		v.Str("write")
	default:
		return false
	}
	return true
}

func evtCategory(e *Event, _ *argument, v *filter.Values) bool {
	category := e.View.Info().Class
	if e.View.Generic() && !e.newest() {
		if name, ok := callCategories[e.View.Name()]; ok {
			v.Str(name)
			return true
		}
	}
	switch category {
	case syscalls.CategoryIoRead, syscalls.CategoryIoWrite, syscalls.CategoryIoOther:
		v.Str(e.ioCategory())
	case syscalls.CategoryIpc:
		v.Str("IPC")
	default:
		v.Str(category.String())
	}
	return true
}

// ioCategory is that of a call that reads or writes, by what its descriptor is.
func (e *Event) ioCategory() string {
	d, _, _ := e.descriptor()
	switch d.Letter {
	case 'f', 'd':
		return "file"
	case '4', '6':
		return "net"
	case 'u', 'p', 'e', 's', 'i', event.UserFault:
		return "ipc"
	}
	return "unknown"
}

// result is that of a call, false if the event has none.
func (e *Event) result() (int64, bool) {
	if !e.exit() || e.View.Generic() || e.View.NumParams() == 0 {
		return 0, false
	}
	if params := e.View.Info().Params; !e.newest() && len(params) > 0 && params[0].Name != "res" && params[0].Name != "fd" {
		return 0, false // an id, for example
	}
	return e.View.Int(0)
}

func evtRes(e *Event, _ *argument, v *filter.Values) bool {
	res, ok := e.result()
	switch {
	case !ok:
		return false
	case res >= 0:
		v.Str("SUCCESS")
	default:
		v.Str(event.ErrnoName(res))
	}
	return true
}

func evtRawRes(e *Event, _ *argument, v *filter.Values) bool {
	res, ok := e.result()
	v.Int(res)
	return ok
}

// evtFailed is missing of what has no result; sysdig 0.29.3 says that it has not
// failed.
func evtFailed(e *Event, _ *argument, v *filter.Values) bool {
	res, ok := e.result()
	v.Bool(ok && res < 0)
	return ok || !e.newest()
}
