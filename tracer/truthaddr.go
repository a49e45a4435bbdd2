package tracer

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// rereadAddress compares the socket address of a call with what it was at the entry.
func (t *Tracer) rereadAddress(th *thread) {
	c := &th.call
	if c.missing || len(c.addr) < 2 {
		return
	}
	now := t.truth.argument[:len(c.addr)]
	if !th.proc.mem.full(now, c.args[c.spec.addr]) {
		return
	}
	same := 0
	switch f := family(c.addr); {
	case c.spec.truth == truthBind && (f == unix.AF_INET || f == unix.AF_INET6) && noPort(now):
		same = 4 // the tracer has filled in the port, see bound
	case f == unix.AF_INET || f == unix.AF_UNSPEC:
		same = 2 // and the family, see giveFamily
	}
	if same = min(same, len(now)); !bytes.Equal(now[same:], c.addr[same:]) {
		t.truth.Mismatch |= event.ArgumentChanged
		t.truth.Argument = appendAddress(now[len(now):], now)
	}
}

// connectTruth compares the address of a connect with the peer that the kernel has
// connected to, which has just been asked for its tuple.
func (t *Tracer) connectTruth(th *thread) {
	c := &th.call
	if (c.ret == 0 || c.ret == einprogress) && !t.ends.assumed {
		t.compareAddress(th, t.ends.peer, true)
	}
}

// bindTruth finds the address that a socket is bound to.
func (t *Tracer) bindTruth(th *thread) {
	c := &th.call
	if c.ret != 0 || !t.ends.ask(th, int(int32(c.args[0])), withType) || t.ends.local == nil {
		return
	}
	t.compareAddress(th, t.ends.local, !t.ends.raw) // which has its protocol there
}

// compareAddress compares the address of a call with what the kernel has made of
// it. What is left to the kernel, by an address or port of zero, cannot differ, nor can
// ports that say nothing.
func (t *Tracer) compareAddress(th *thread, kernel []byte, ports bool) {
	asked, ok := event.ParseSockAddr(th.call.addr)
	has, known := event.ParseSockAddr(kernel)
	if !known {
		return
	}
	t.truth.Object = has.AppendTo(t.truth.object[:0])
	if !ok {
		return
	}
	differs := false
	switch {
	case asked.Family == unix.AF_UNIX && has.Family == unix.AF_UNIX:
		differs = len(asked.Path) > 0 && len(has.Path) > 0 && !(t.ends.listed && listedAs(asked.Path, has.Path)) &&
			(abstract(th.call.addr) != abstract(kernel) ||
				!bytes.Equal(asked.Path, has.Path) && (abstract(kernel) || !t.sameSocket(th, asked.Path, has.Path)))
	case asked.Family == unix.AF_UNIX || has.Family == unix.AF_UNIX:
		differs = true
	default:
		a, b := asked.IP, has.IP
		differs = !a.Addr().Unmap().IsUnspecified() && a.Addr().Unmap().WithZone("") != b.Addr().Unmap().WithZone("") ||
			ports && a.Port() != 0 && a.Port() != b.Port()
	}
	if differs {
		t.truth.Mismatch |= event.OtherObject
	}
}

// abstract reports whether a unix address is no path of a file: its text begins with
// @ then, but so may a path.
func abstract(addr []byte) bool { return len(addr) > 2 && addr[2] == 0 }

// listedAs reports whether the lists in /proc may have a name as has: up to the end of a
// line, and without what looks like NULs at its end.
func listedAs(name, has []byte) bool {
	name, _, _ = bytes.Cut(name, []byte("\n"))
	return bytes.Equal(bytes.TrimRight(name, "@"), bytes.TrimRight(has, "@"))
}

// sameSocket reports whether two paths of unix sockets may be of the same: a server
// has bound its socket to a name that need not be the one that leads there, and that
// may be of another one by now.
func (t *Tracer) sameSocket(th *thread, asked, has []byte) bool {
	var a, b unix.Stat_t
	if th.proc.mem.copies != nil || asked[0] != '/' || has[0] != '/' ||
		t.served.statPath(t.seenBy(th, unix.AT_FDCWD, asked), &a) != 0 || t.served.statPath(t.seenBy(th, unix.AT_FDCWD, has), &b) != 0 {
		return true
	}
	return identity{a.Dev, a.Ino} == identity{b.Dev, b.Ino} || t.diag.bound(has, uint32(a.Ino))
}

// appendAddress appends the text of an address as the kernel has it.
func appendAddress(dst, raw []byte) []byte {
	if a, ok := event.ParseSockAddr(raw); ok {
		return a.AppendTo(dst)
	}
	return dst
}
