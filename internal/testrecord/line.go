package testrecord

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// Line makes the record of an event at ts, in ns since the Unix epoch, from a line:
//
//	tid > call name=value name=value ...
//
// The event is the newest one of the oldest version with that name, if it has one; @N behind
// the name chooses event code N, /N behind all sends N parameters, and a + those
// of the newest version. A parameter that is not given is 0 or empty; of a clone
// or exec the ids are those of the thread. What is NONE has no bytes.
func Line(e *event.Encoder, ts uint64, line string) ([]byte, error) {
	f := strings.Fields(line)
	if len(f) < 3 {
		return nil, errors.New("want tid, direction and call")
	}
	tid, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return nil, err
	}
	name, all := strings.CutSuffix(f[2], "+")
	name, digits, counted := strings.Cut(name, "/")
	typ, ok := codeOf(name, f[1] == ">")
	if !ok {
		return nil, fmt.Errorf("no event %s %s", f[1], name)
	}
	params := syscalls.Events[typ].Params
	if _, n := event.Edition(typ); counted {
		if n, err = strconv.Atoi(digits); err != nil || uint(n) > uint(len(params)) {
			return nil, fmt.Errorf("no count of parameters: %q", digits)
		}
		params = params[:n]
	} else if !all && int(typ) < syscalls.CeilingA {
		params = params[:n]
	}
	given := map[string]string{}
	for _, arg := range f[3:] {
		key, value, _ := strings.Cut(arg, "=")
		given[key] = value
	}
	e.Begin(ts, tid, typ, len(params))
	for i := range params {
		p := &params[i]
		value, ok := given[p.Name]
		delete(given, p.Name)
		if !ok {
			value = preset(p, f[0])
		}
		b, err := encodeParam(p, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		e.Bytes(b)
	}
	if len(given) > 0 {
		return nil, fmt.Errorf("no such parameters: %v", given)
	}
	return e.End()
}

func codeOf(name string, enter bool) (typ uint16, ok bool) {
	if name, code, ok := strings.Cut(name, "@"); ok {
		n, err := strconv.Atoi(code)
		return uint16(n), err == nil && n < syscalls.NumEvents && syscalls.Events[n].Name == name
	}
	for i := range syscalls.CeilingA {
		if syscalls.Events[i].Name == name && syscalls.IsEnter(uint16(i)) == enter {
			typ, ok = uint16(i), true
		}
	}
	for i := syscalls.CeilingA; i < syscalls.NumEvents && !ok; i++ {
		if syscalls.Events[i].Name == name && syscalls.IsEnter(uint16(i)) == enter {
			typ, ok = uint16(i), true
		}
	}
	return typ, ok
}

func preset(p *syscalls.Param, tid string) string {
	switch {
	case p.Name == "ptid":
		return "1"
	case p.Type == syscalls.PID && p.Name != "res":
		return tid
	case p.Type.Size() > 0:
		return "0"
	}
	return ""
}

func encodeParam(p *syscalls.Param, value string) ([]byte, error) {
	if value == "NONE" {
		return nil, nil
	}
	switch p.Type {
	case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
		text, err := strconv.Unquote(`"` + value + `"`)
		return append([]byte(text), 0), err
	case syscalls.ByteBuf:
		return []byte(value), nil
	case syscalls.SockAddr:
		return encodeAddr(value)
	case syscalls.SockTuple:
		return encodeTuple(value)
	}
	if p.Type.Size() == 0 {
		return []byte(value), nil
	}
	n, err := strconv.ParseInt(value, 0, 64)
	return binary.NativeEndian.AppendUint64(nil, uint64(n))[:p.Type.Size()], err
}

func encodeAddr(value string) ([]byte, error) {
	switch {
	case value == "":
		return nil, nil
	case value[0] == '/':
		return append(append([]byte{1}, value...), 0), nil
	}
	a, err := netip.ParseAddrPort(value)
	return appendAddr([]byte{family(a)}, a), err
}

func family(a netip.AddrPort) byte {
	if a.Addr().Is4() {
		return 2
	}
	return 10
}

func appendAddr(b []byte, a netip.AddrPort) []byte {
	b = append(b, a.Addr().AsSlice()...)
	return binary.NativeEndian.AppendUint16(b, a.Port())
}

func encodeTuple(value string) ([]byte, error) {
	if value == "" {
		return nil, nil
	}
	if rest, ok := strings.CutPrefix(value, "unix:"); ok {
		b := append([]byte{1}, make([]byte, 16)...)
		b[1], b[9] = 0xaa, 0xbb
		return append(append(b, rest...), 0), nil
	}
	from, to, _ := strings.Cut(value, "->")
	source, err := netip.ParseAddrPort(from)
	if err != nil {
		return nil, err
	}
	dest, err := netip.ParseAddrPort(to)
	return appendAddr(appendAddr([]byte{family(source)}, source), dest), err
}
