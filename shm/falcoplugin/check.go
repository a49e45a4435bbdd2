package falcoplugin

import (
	"bytes"
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// check is what a host of a schema can be given: of each event code the number of
// parameters that have to be there, -1 if it is none for the host. There are those of
// system calls and of threads. Others would tell it of containers and users that somebody
// has made up.
type check struct {
	params []int8
	calls  int // numbers of calls below are known
}

func (s *schema) check() check {
	c := check{make([]int8, s.codes), syscalls.SCCount(s.codes)}
	for typ := range c.params {
		info := &syscalls.Events[typ]
		name, _, _ := strings.Cut(info.Enum, "_")
		c.params[typ] = -1
		switch name {
		case "SYSCALL", "SOCKET", "GENERIC", "PROCEXIT", "SIGNALDELIVER", "SCHEDSWITCH":
			if info.Flags&(syscalls.Unused|syscalls.LargePayload) == 0 {
				c.params[typ] = int8(s.least(uint16(typ)))
			}
		}
	}
	return c
}

// fits reports whether an event is one for the host, and all its parameters are there
// and of lengths that their types can have. The number of a call is one that the host
// knows: it looks its name up without asking whether there is one.
func (c *check) fits(v *event.View) bool {
	typ, info := v.Type(), v.Info()
	if int(typ) >= len(c.params) || c.params[typ] < 0 || v.NumParams() < int(c.params[typ]) {
		return false
	}
	if typ == syscalls.ProcExitE {
		if reaper, ok := v.Int(exitReaper); ok && reaper == v.TID() {
			return false // the host ends at a thread that is to inherit its own children
		}
	}
	for i := range min(v.NumParams(), len(info.Params)) {
		p, b := &info.Params[i], v.Param(i)
		if !whole(p, b) || p.Type == syscalls.SyscallID && int(binary.NativeEndian.Uint16(b)) >= c.calls {
			return false
		}
	}
	return true
}

// exitReaper is the parameter of a procexit with the thread that gets the children.
const exitReaper = 4

// least is how many parameters of an event a host looks at without asking whether they
// are there: all, or those that the event has had since there is one.
func (s *schema) least(typ uint16) (n int) {
	if s.exits {
		return syscalls.NewestParams(typ)
	}
	params, first := syscalls.Events[typ].Params, syscalls.Tag(0)
	if typ >= syscalls.CeilingA && len(params) > 0 {
		first = params[0].Since
	}
	for n < len(params) && params[n].Since <= first {
		n++
	}
	return n
}

// whole reports whether b is a value of a parameter's type.
func whole(p *syscalls.Param, b []byte) bool {
	if size := p.Type.Size(); size > 0 {
		return len(b) == size
	}
	if len(b) == 0 {
		return true
	}
	switch p.Type {
	case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
		return bytes.IndexByte(b, 0) == len(b)-1
	case syscalls.CharBufArray, syscalls.CharBufPairs:
		return b[len(b)-1] == 0
	case syscalls.SockAddr:
		return wholeAddress(b, 1)
	case syscalls.SockTuple:
		return wholeAddress(b, 2)
	case syscalls.FDList:
		return len(b) >= 2 && len(b) == 2+10*int(binary.NativeEndian.Uint16(b))
	case syscalls.Dyn:
		return int(b[0]) < len(p.Dyn) && whole(&p.Dyn[b[0]], b[1:])
	}
	return true
}

// wholeAddress reports whether b is a family with one address of it, or two.
func wholeAddress(b []byte, n int) bool {
	const port = 2
	switch family, rest := b[0], b[1:]; family {
	case unix.AF_INET:
		return len(rest) == n*(4+port)
	case unix.AF_INET6:
		return len(rest) == n*(16+port)
	case unix.AF_UNIX:
		// Two addresses in the kernel stand before the path of a tuple.
		path := 0
		if n == 2 {
			path = 16
		}
		return len(rest) > path && bytes.IndexByte(rest[path:], 0) == len(rest)-path-1
	}
	return true // nobody looks further
}
