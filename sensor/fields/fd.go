package fields

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// twoSided are the bounds of fields that look at both ends of a connection.
const twoSided = filterOnly | noRight | noTransformer

var fdFields = []Field{
	{Name: "fd.num", Type: filter.Int, Desc: "number of the descriptor, -1 if it is not known", get: fdNum},
	{Name: "fd.type", Type: filter.String, Desc: "file, directory, ipv4, ipv6, unix, pipe, event, signalfd, eventpoll, inotify, timerfd, netlink, memfd, pidfd and so on", get: fdType},
	{Name: "fd.typechar", Type: filter.String, Desc: "the letter for it, as in <f>", get: fdTypeChar},
	{Name: "fd.name", Type: filter.String, Desc: "path, or the ends of a connection", get: fdName},
	{Name: "fd.directory", Type: filter.String, Desc: "directory of a file; of a directory its own path", get: fdDirectory},
	{Name: "fd.filename", Type: filter.String, Desc: "name of a file in its directory", get: fdFilename},
	{Name: "fd.ip", Type: filter.Addr, Desc: "address of either end of a connection", get: either(addr), several: filter.Sides, bounds: twoSided},
	{Name: "fd.cip", Type: filter.Addr, Desc: "address of the client", get: side(addr, client)},
	{Name: "fd.sip", Type: filter.Addr, Desc: "address of the server", get: side(addr, server)},
	{Name: "fd.lip", Type: filter.Addr, Desc: "address of this end", get: side(addr, local)},
	{Name: "fd.rip", Type: filter.Addr, Desc: "address of the other end", get: side(addr, remote)},
	{Name: "fd.port", Type: filter.Port, Desc: "port of either end", get: either(port), several: filter.Sides, bounds: twoSided},
	{Name: "fd.cport", Type: filter.Port, Desc: "port of the client", get: side(port, client)},
	{Name: "fd.sport", Type: filter.Port, Desc: "port of the server", get: side(port, server)},
	{Name: "fd.lport", Type: filter.Port, Desc: "port of this end", get: side(port, local)},
	{Name: "fd.rport", Type: filter.Port, Desc: "port of the other end", get: side(port, remote)},
	{Name: "fd.net", Type: filter.Net, Desc: "network of either end: fd.net = 10.0.0.0/8", get: networks, several: filter.Sides, bounds: twoSided | firstInList},
	{Name: "fd.cnet", Type: filter.Net, Desc: "network of the client", get: side(addr, client), bounds: twoSided},
	{Name: "fd.snet", Type: filter.Net, Desc: "network of the server", get: side(addr, server), bounds: twoSided},
	{Name: "fd.lnet", Type: filter.Net, Desc: "network of this end", get: side(addr, local), bounds: twoSided},
	{Name: "fd.rnet", Type: filter.Net, Desc: "network of the other end", get: side(addr, remote), bounds: twoSided},
	{Name: "fd.l4proto", Type: filter.String, Desc: "tcp, udp, icmp or raw", get: fdL4Proto},
	{Name: "fd.sockfamily", Type: filter.String, Desc: "ip or unix", get: fdSockFamily},
	{Name: "fd.is_server", Type: filter.Bool, Desc: "the socket listens, or the server of its connection is on this machine", get: fdIsServer},
	{Name: "fd.connected", Type: filter.Bool, Desc: "the socket has been connected or accepted, or is being connected", get: fdConnected},
	{Name: "fd.name_changed", Type: filter.Bool, Desc: "this event has given the descriptor its name, or another one", get: fdNameChanged},
	{Name: "fd.uid", Type: filter.String, Desc: "numbers of the thread and the descriptor", get: fdUID},
}

// descriptor is what the event is about, its number, and whether it is known.
func (e *Event) descriptor() (d event.FDName, fd int64, known bool) {
	fd, ok := e.eventFD()
	if !ok || fd < 0 {
		return d, fd, false
	}
	d, known = e.State.FD(fd)
	return d, fd, known
}

// newlyUsed are the events of which sysdig 0.29.3 does not know that they are
// about a descriptor.
var newlyUsed = func() *[syscalls.NumEvents]bool {
	var events [syscalls.NumEvents]bool
	for _, code := range [...]uint16{51, 55, 160, 161, 162, 163, 181, 303, 305, 313, 317} {
		events[code] = true // sendmmsg, recvmmsg, mmap, mmap2, symlinkat, unlinkat, mkdirat, fchmodat, fchmod
	}
	return &events
}()

// eventFD is the number of the descriptor that the event is about, -1 if it is
// not known; false if it is about none.
func (e *Event) eventFD() (int64, bool) {
	if !e.newest() && newlyUsed[e.View.Type()] {
		return 0, false
	}
	return e.State.EventFD(e.View)
}

func fdNum(e *Event, _ *argument, v *filter.Values) bool {
	fd, ok := e.eventFD()
	v.Int(fd)
	return ok
}

// fdTypes are the types by their letters.
var fdTypes = [128]string{
	'f': "file", 'd': "directory", '4': "ipv4", '6': "ipv6", 'u': "unix", 'p': "pipe",
	'e': "event", 's': "signalfd", 'l': "eventpoll", 'i': "inotify", 't': "timerfd",
	'n': "netlink", 'm': "memfd", 'P': "pidfd", 'r': "io_uring", 'b': "bpf", event.UserFault: "userfaultfd",
	'o': unknown, 'X': unknown,
}

func fdType(e *Event, _ *argument, v *filter.Values) bool {
	d, _, ok := e.descriptor()
	v.Str(fdTypes[d.Letter&0x7f])
	return ok
}

func fdTypeChar(e *Event, _ *argument, v *filter.Values) bool {
	d, _, known := e.descriptor()
	_, ok := e.eventFD()
	switch {
	case known:
	case e.newest() && e.View.Name() == "open": // which sysdig 0.41.4 forgets
		d.Letter = 'o'
	default:
		d.Letter = createdLetter(e.View.Name())
	}
	e.buf = append(e.buf[:0], d.Char())
	v.Copy(e.buf)
	return ok
}

// createdLetter is what a call makes that has not made it, or not yet; o for
// other calls.
func createdLetter(name string) byte {
	switch name {
	case "open", "openat", "openat2", "creat":
		return 'f'
	case "socket", "accept", "accept4":
		return '4'
	case "pipe", "pipe2":
		return 'p'
	case "eventfd", "eventfd2":
		return 'e'
	case "signalfd", "signalfd4":
		return 's'
	case "timerfd_create":
		return 't'
	case "inotify_init", "inotify_init1":
		return 'i'
	}
	return 'o'
}

// fdName is a path for a call that was to open one, too.
func fdName(e *Event, _ *argument, v *filter.Values) bool {
	_, ok := e.fdName()
	v.Copy(e.buf)
	return ok
}

// fdName puts the name of the descriptor into the buffer. What is printed of a
// descriptor is the kind of what has a name.
func (e *Event) fdName() (d event.FDName, ok bool) {
	e.buf = e.buf[:0]
	d, fd, known := e.descriptor()
	if known && (e.newest() || !e.refusedConnect()) {
		e.buf = event.AppendPrintable(e.buf, d.Name)
		return d, true
	}
	if _, ok := e.eventFD(); !ok || !e.exit() {
		return d, false
	}
	switch i := e.nameParam(fd); {
	case i < 0:
	case e.opened():
		e.appendAbsPath(i)
	case !e.newest() || e.View.Name() != "connect" || len(e.View.Param(i)) > 0: // it is named NULL
		e.buf, _ = e.printer.AppendValue(e.buf, e.View, i, e.State)
	}
	return d, true
}

// refusedConnect reports whether the event is the end of a connect that has not
// succeeded, which sysdig 0.29.3 names by what it has tried.
func (e *Event) refusedConnect() bool {
	if !e.exit() || e.View.Name() != "connect" {
		return false
	}
	res, ok := e.result()
	return ok && res < 0
}

// nameParam is which parameter would be the name of the descriptor that the
// event is about and that nobody knows, -1 if none.
func (e *Event) nameParam(fd int64) int {
	switch e.View.Name() {
	case "accept", "accept4", "connect":
		return e.paramNamed("tuple")
	}
	if fd < 0 && e.opened() {
		return e.paramNamed("name")
	}
	return -1
}

// opened reports whether the event is of a call that opens a path.
func (e *Event) opened() bool {
	switch e.View.Name() {
	case "open", "openat", "openat2", "creat":
		return true
	}
	return false
}

func isPath(d event.FDName) bool { return d.Letter == 'f' || d.Letter == 'd' || d.Letter == 0 }

func fdDirectory(e *Event, _ *argument, v *filter.Values) bool {
	d, ok := e.fdName()
	if !ok || !isPath(d) {
		return false
	}
	if d.Letter == 'd' {
		v.Copy(e.buf)
		return true
	}
	slash := bytes.LastIndexByte(e.buf, '/')
	if slash <= 0 {
		v.Str("/")
		return true
	}
	v.Copy(e.buf[:slash])
	return true
}

func fdFilename(e *Event, _ *argument, v *filter.Values) bool {
	d, _, ok := e.descriptor()
	if !ok || d.Letter != 'f' {
		return false
	}
	name := d.Name
	if name != "/" {
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	e.buf = event.AppendPrintable(e.buf[:0], name)
	v.Copy(e.buf)
	return true
}

var l4Protos = [128]string{'t': "tcp", 'u': "udp", 'i': "icmp", 'r': "raw"}

func fdL4Proto(e *Event, _ *argument, v *filter.Values) bool {
	d, _, ok := e.descriptor()
	v.Str(l4Protos[d.L4&0x7f])
	return ok && l4Protos[d.L4&0x7f] != ""
}

func fdSockFamily(e *Event, _ *argument, v *filter.Values) bool {
	d, _, _ := e.descriptor()
	switch d.Letter {
	case '4', '6':
		v.Str("ip")
	case 'u':
		v.Str("unix")
	default:
		return false
	}
	return true
}

func fdIsServer(e *Event, _ *argument, v *filter.Values) bool {
	_, fd, ok := e.descriptor()
	v.Bool(ok && e.State.Serves(fd))
	return ok
}

func fdConnected(e *Event, _ *argument, v *filter.Values) bool {
	_, fd, ok := e.descriptor()
	v.Bool(ok && e.State.Connected(fd))
	return ok
}

func fdNameChanged(e *Event, _ *argument, v *filter.Values) bool {
	_, _, ok := e.descriptor()
	v.Bool(ok && e.State.Renamed())
	return ok
}

func fdUID(e *Event, _ *argument, v *filter.Values) bool {
	fd, ok := e.eventFD()
	e.buf = strconv.AppendInt(e.buf[:0], e.State.Current().TID, 10)
	e.buf = strconv.AppendInt(e.buf, fd, 10)
	v.Copy(e.buf)
	return ok
}

// end is one end of a connection.
type end uint8

const (
	client end = iota
	server
	local
	remote
)

// endpoint is one end of the connection that the event is about. A socket that
// listens has one end, which is the server and this one.
func (e *Event) endpoint(which end) (netip.AddrPort, bool) {
	d, fd, ok := e.descriptor()
	if !ok {
		return netip.AddrPort{}, false
	}
	return e.endOf(d, fd, which)
}

// endOf is one end of a connection of the event's thread.
func (e *Event) endOf(d event.FDName, fd int64, which end) (netip.AddrPort, bool) {
	if d.Letter != '4' && d.Letter != '6' {
		return netip.AddrPort{}, false
	}
	source, dest, connected := strings.Cut(d.Name, "->")
	if !connected {
		if which == client || which == remote {
			return netip.AddrPort{}, false
		}
		a, ok := splitPort(source)
		return a, ok && a.Port() != 0 // the port is still to be chosen
	}
	accepted := e.State.Server(fd)
	switch {
	case which == client, which == local && !accepted, which == remote && accepted:
		return splitPort(source)
	}
	return splitPort(dest)
}

// splitPort reads an address as descriptors have it in their names: a:port,
// without brackets around addresses of IPv6.
func splitPort(s string) (netip.AddrPort, bool) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || !plausible(s) {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddr(s[:colon])
	if err != nil {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(s[colon+1:], 10, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, uint16(n)), true
}

// plausible keeps what is no address from being parsed: that allocates an
// error.
func plausible(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '.' && c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// part adds an address or a port.
type part func(netip.AddrPort, *filter.Values)

func addr(a netip.AddrPort, v *filter.Values) { v.Addr(a.Addr()) }
func port(a netip.AddrPort, v *filter.Values) { v.Uint(uint64(a.Port())) }

func portText(a netip.AddrPort, v *filter.Values) {
	var digits [5]byte
	v.Copy(strconv.AppendUint(digits[:0], uint64(a.Port()), 10))
}

// portName is empty for sysdig where a socket of which it knows who has begun has no
// two ends.
func portName(which end) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		d, fd, ok := e.descriptor()
		if ok && e.State.Guesses() && !strings.Contains(d.Name, "->") {
			v.Str("")
			return e.State.Begun(fd)
		}
		a, ok := e.endOf(d, fd, which)
		if ok {
			portText(a, v)
		}
		return ok
	}
}

func side(add part, which end) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		a, ok := e.endpoint(which)
		if ok {
			add(a, v)
		}
		return ok
	}
}

// either is a getter of what a socket is found by: one of its ends.
func either(add part) getter {
	inName := sides(add, client, server)
	return func(e *Event, a *argument, v *filter.Values) bool {
		if _, fd, known := e.descriptor(); known {
			if source, target, ok := e.State.Ends(fd); ok {
				add(source, v)
				add(target, v)
				return true
			}
		}
		return inName(e, a, v)
	}
}

func sides(add part, ends ...end) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		for _, which := range ends {
			if a, ok := e.endpoint(which); ok {
				add(a, v)
			}
		}
		return len(v.All()) > 0
	}
}

var eitherEnd = either(addr)

// networks are the addresses of either end. A socket that has no end yet is in
// the networks that all addresses are in, as in libsinsp.
func networks(e *Event, _ *argument, v *filter.Values) bool {
	if eitherEnd(e, nil, v) {
		return true
	}
	d, _, _ := e.descriptor()
	switch d.Letter {
	case '4':
		v.Addr(netip.IPv4Unspecified())
	case '6':
		v.Addr(netip.IPv6Unspecified())
	default:
		return false
	}
	return true
}
