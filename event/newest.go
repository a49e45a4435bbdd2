package event

import (
	"bytes"
	"runtime"

	"github.com/pdig/pdig/syscalls"
)

// Style says whose lines events are shown as.
type Style uint8

// Styles.
const (
	Sysdig Style = iota // of sysdig 0.29.3
	Newest              // of sysdig 0.41.4, to which all that a call was given is a part of its exit
)

// edition returns as which event the view's is shown, and with how many
// parameters.
func (v *View) edition() (shown uint16, nparams int) {
	if v.Style == Newest {
		return v.typ, syscalls.NewestParams(v.typ)
	}
	return Edition(v.typ)
}

// newestArg returns parameter i as sysdig 0.41.4 has it, and whether the record
// holds it.
func newestArg(v *View, i int) (a arg, ok bool) {
	if a, ok = todaysArg(v, i); ok && int(v.typ) < syscalls.CodesNewest {
		a.newest = syscalls.TagNewest
	}
	return a, ok
}

// asyncEvent is an event that says itself what it is.
const asyncEvent = 402

// newestName is the name that the event is shown with.
func (v *View) newestName() string {
	switch {
	case generic(v.typ):
		id, _ := v.Uint(0)
		if native, ok := v.Uint(1); id == 0 && ok {
			if call := syscalls.Lookup(machine, int(native)); call != nil && call.SC != 0 {
				id = uint64(call.SC)
			}
		}
		if id >= uint64(len(syscalls.SCNames)) {
			return ""
		}
		return newestCall(id)
	case v.typ == asyncEvent && v.params > 1:
		return string(AppendLine(nil, v.Str(1)))
	}
	return syscalls.Events[v.typ].Name
}

// machine is the numbering of the machine that reads, which is what a capture is
// taken to be of.
var machine = map[string]syscalls.Arch{"amd64": syscalls.AMD64, "arm64": syscalls.ARM64}[runtime.GOARCH]

func newestCall(id uint64) string {
	switch {
	case id == 0:
		return "unknown"
	case id >= uint64(len(syscalls.SCNames)):
		return "<unknown syscall>"
	}
	return syscalls.SCNames[id]
}

// nothing is the text of a parameter of no bytes: there are some that may have
// none.
func (a *arg) nothing() string {
	switch a.param.Type {
	case syscalls.ByteBuf, syscalls.SockTuple, syscalls.FDList, syscalls.Dyn, syscalls.CharBufArray, syscalls.CharBufPairs:
		return "NULL"
	}
	return missing
}

// appendWholeFlags appends all names of a value of an enumeration.
func appendWholeFlags(dst []byte, flags []syscalls.Flag, value uint32, newest syscalls.Tag) []byte {
	start := len(dst)
	for i := range flags {
		if f := &flags[i]; f.Value == value && f.Since <= newest {
			dst = append(appendSeparator(dst, start, '|'), f.Name...)
		}
	}
	return dst
}

// joinWhole is [JoinPath] by whole components: "..." is a name like others.
func joinWhole(dst []byte, start int, path []byte) []byte {
	if n := len(dst); n > start && dst[n-1] != '/' {
		// A directory that is not known is one word with the name behind it.
		end := bytes.IndexByte(path, '/') + 1
		if end == 0 {
			end = len(path)
		}
		dst, path = appendDots(dst, path[:end]), path[end:]
	}
	for len(path) > 0 {
		end := 0
		for end < len(path) && path[end] != '/' {
			end++
		}
		name := path[:end]
		switch {
		case string(name) == "..":
			dst = up(dst, start)
		case end > 0 && string(name) != ".":
			dst = appendDots(dst, name)
			if end < len(path) {
				dst = append(dst, '/')
			}
		case end == 0 && len(dst) == start:
			dst = append(dst, '/')
		}
		path = path[min(end+1, len(path)):]
	}
	if n := len(dst); n > start+1 && dst[n-1] == '/' {
		dst = dst[:n-1]
	}
	return dst
}
