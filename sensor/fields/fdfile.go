package fields

import (
	"strconv"
	"strings"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/syscalls"
)

// fileFields are what is known of an open file besides its name.
var fileFields = []Field{
	{Name: "fd.nameraw", Type: filter.String, Desc: "path as the program has asked for it", get: fdNameRaw},
	{Name: "fd.dev", Type: filter.Int, Desc: "device of a file, in hexadecimal digits", get: device(func(dev uint32) uint32 { return dev }), show: hexadecimal},
	{Name: "fd.dev.major", Type: filter.Int, Desc: "its major number", get: device(majorNumber)},
	{Name: "fd.dev.minor", Type: filter.Int, Desc: "its minor number", get: device(minorNumber)},
	{Name: "fd.ino", Type: filter.Int, Desc: "inode of a file", get: fdIno},
	{Name: "fd.is_upper_layer", Type: filter.Bool, Desc: "the file is in the upper layer of an overlay file system", get: layer(func(f *state.File) bool { return f.Upper })},
	{Name: "fd.is_lower_layer", Type: filter.Bool, Desc: "the file is in a lower layer", get: layer(func(f *state.File) bool { return f.Lower })},
	{Name: "fd.containername", Type: filter.String, Desc: "container.id, a colon and fd.name", get: inContainer(fdName)},
	{Name: "fd.containerdirectory", Type: filter.String, Desc: "container.id, a colon and fd.directory", get: inContainer(fdDirectory)},
}

// file is what is known of the file that the event is about.
func (e *Event) file() (f state.File, ok bool) {
	_, fd, ok := e.descriptor()
	if ok {
		f = e.State.File(fd)
	}
	return f, ok
}

// majorNumber and minorNumber take a device apart as the kernel encodes it in 32
// bits (new_encode_dev): 8 bits of the minor number, 12 of the major, 12 of the minor.
func majorNumber(dev uint32) uint32 { return dev >> 8 & 0xfff }
func minorNumber(dev uint32) uint32 { return dev&0xff | dev>>12&0xfff00 }

func device(part func(uint32) uint32) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		f, ok := e.file()
		v.Int(int64(part(f.Dev)))
		return ok
	}
}

func fdIno(e *Event, _ *argument, v *filter.Values) bool {
	f, ok := e.file()
	v.Int(int64(f.Ino))
	return ok
}

func layer(in func(*state.File) bool) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		f, ok := e.file()
		v.Bool(in(&f))
		return ok
	}
}

// fdNameRaw is that of a call that was to open a path, too.
func fdNameRaw(e *Event, _ *argument, v *filter.Values) bool {
	_, fd, known := e.descriptor()
	if known {
		e.buf = appendSqueezed(e.buf[:0], e.State.File(fd).Raw)
		v.Copy(e.buf)
		return true
	}
	if _, ok := e.eventFD(); !ok || !e.exit() {
		return false
	}
	e.buf = e.buf[:0]
	if fd < 0 && e.opened() {
		e.buf = appendSqueezed(e.buf, e.View.Str(e.paramNamed("name")))
	}
	v.Copy(e.buf)
	return true
}

// appendSqueezed appends a path with one slash for several.
func appendSqueezed[T string | []byte](dst []byte, path T) []byte {
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			dst = append(dst, path[i])
		}
	}
	return dst
}

func inContainer(name getter) getter {
	return func(e *Event, a *argument, v *filter.Values) bool {
		if !name(e, a, v) {
			return false
		}
		text := v.All()[len(v.All())-1].Text
		id, _ := e.container()
		e.buf = append(append(append(e.buf[:0], id...), ':'), text...)
		v.Reset()
		v.Copy(e.buf)
		return true
	}
}

// protoFields are ports as text. sysdig does not give them the names of services
// either, unless it is asked to.
var protoFields = []Field{
	{Name: "fd.proto", Type: filter.Port, Desc: "port of either end: fd.proto = http", get: sides(port, client, server), several: filter.Sides, bounds: twoSided},
	{Name: "fd.cproto", Type: filter.String, Desc: "port of the client, as text", get: portName(client)},
	{Name: "fd.sproto", Type: filter.String, Desc: "port of the server, as text", get: portName(server)},
	{Name: "fd.lproto", Type: filter.String, Desc: "port of this end, as text", get: side(portText, local)},
	{Name: "fd.rproto", Type: filter.String, Desc: "port of the other end, as text", get: side(portText, remote)},
}

// typesField is fd.types: a list, with a number too.
var typesField = Field{
	Name: "fd.types", Type: filter.String, Desc: "the types, each once, of all descriptors that the process of an event with a descriptor has open, or of that with the number",
	get: fdTypesOf, arg: indexArg, several: filter.List, bounds: noRight,
}

func fdTypesOf(e *Event, a *argument, v *filter.Values) bool {
	if _, ok := e.eventFD(); !ok {
		return false
	}
	if a.given {
		d, known := e.State.FD(int64(a.index))
		if known {
			v.Str(fdTypes[d.Letter&0x7f])
		}
		return known
	}
	letters := e.State.Letters()
	letters['o'] = letters['o'] || letters['X'] // which are one type
	letters['X'] = false
	for letter, open := range letters {
		if open {
			v.Str(fdTypes[letter])
		}
	}
	return true
}

// listFields are the descriptors of a poll, joined by commas.
var listFields = []Field{
	{Name: "fdlist.nums", Type: filter.String, Desc: "their numbers", get: polled(func(dst []byte, _ *Event, fd int64) []byte { return strconv.AppendInt(dst, fd, 10) })},
	{Name: "fdlist.names", Type: filter.String, Desc: "their names", get: polled(appendFDName)},
	{Name: "fdlist.cips", Type: filter.String, Desc: "addresses of the clients", get: polled(appendEnd(true, client))},
	{Name: "fdlist.sips", Type: filter.String, Desc: "addresses of the servers", get: polled(appendEnd(true, server))},
	{Name: "fdlist.cports", Type: filter.String, Desc: "ports of the clients", get: polled(appendEnd(false, client))},
	{Name: "fdlist.sports", Type: filter.String, Desc: "ports of the servers", get: polled(appendEnd(false, server))},
}

// polled adds what the descriptors of a poll have, nothing for those that have nothing.
func polled(each func(dst []byte, e *Event, fd int64) []byte) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		e.buf = e.buf[:0]
		list := e.polled()
		for fd, more := list.next(); more; fd, more = list.next() {
			start := len(e.buf)
			if start > 0 {
				e.buf = append(e.buf, ',')
			}
			from := len(e.buf)
			if e.buf = each(e.buf, e, fd); len(e.buf) == from {
				e.buf = e.buf[:start]
			}
		}
		v.Copy(e.buf)
		return len(e.buf) > 0
	}
}

func appendFDName(dst []byte, e *Event, fd int64) []byte {
	d, ok := e.State.FD(fd)
	if !ok || d.Name == "" {
		return append(dst, unknown...)
	}
	return event.AppendPrintable(dst, d.Name)
}

func appendEnd(address bool, which end) func([]byte, *Event, int64) []byte {
	return func(dst []byte, e *Event, fd int64) []byte {
		d, ok := e.State.FD(fd)
		a, known := e.endOf(d, fd, which)
		switch {
		case !ok || !known:
			return dst
		case address:
			return a.Addr().AppendTo(dst)
		}
		return strconv.AppendUint(dst, uint64(a.Port()), 10)
	}
}

// isSyslog reports whether a call writes to the system log.
func isSyslog(e *Event) bool {
	d, _, _ := e.descriptor()
	return e.View.Info().Flags&syscalls.WritesToFD != 0 && strings.Contains(d.Name, "/dev/log")
}
