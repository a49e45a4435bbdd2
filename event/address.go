package event

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// maxUnixPath is the size of a socket path in struct sockaddr_un.
const maxUnixPath = 108

// Sizes of encoded addresses: the family, then the rest.
const (
	sizeIPv4       = 4 + 2
	sizeIPv6       = 16 + 2
	sizeUnixIDs    = 8 + 8
	sizeMaxAddress = 1 + sizeUnixIDs + maxUnixPath + 1
)

// SockAddr is a decoded SOCKADDR parameter.
type SockAddr struct {
	Family uint8          // unix.AF_*
	IP     netip.AddrPort // AF_INET and AF_INET6
	Path   []byte         // AF_UNIX, borrowed
}

// SockTuple is a decoded SOCKTUPLE parameter.
type SockTuple struct {
	Family               uint8          // unix.AF_*
	Source, Dest         netip.AddrPort // AF_INET and AF_INET6
	SourceNode, DestNode uint64         // AF_UNIX: what stands for the two sockets
	Path                 []byte         // AF_UNIX, borrowed
}

// AppendSockAddr appends the encoding of a socket address as a system call has
// it: raw is of the length that the call states, its family and port as the
// kernel has them. An address that is too short, or of another family than the
// internet's and AF_UNIX, adds nothing.
func AppendSockAddr(dst, raw []byte) []byte {
	switch family := rawFamily(raw); family {
	case unix.AF_INET, unix.AF_INET6:
		return appendIP(append(dst, family), rawIP(raw))
	case unix.AF_UNIX:
		return append(appendPath(append(dst, family), raw), 0)
	}
	return dst
}

// ParseSockAddr decodes a socket address as a system call has it. Of AF_UNIX the
// path is a copy.
func ParseSockAddr(raw []byte) (SockAddr, bool) {
	a := SockAddr{Family: rawFamily(raw)}
	switch a.Family {
	case unix.AF_INET, unix.AF_INET6:
		a.IP = rawIP(raw)
	case unix.AF_UNIX:
		a.Path = appendPath(nil, raw)
	default:
		return SockAddr{}, false
	}
	return a, true
}

// AppendTuple appends the encoding of a connection between two internet
// addresses as system calls have them. An end that is missing is all zero; if
// only one is of AF_INET6 the other is mapped to it. Two ends of no such
// family add nothing.
func AppendTuple(dst, source, dest []byte) []byte {
	s, d := rawIP(source), rawIP(dest)
	switch {
	case s.Addr().Is6() || d.Addr().Is6():
		dst = append(dst, unix.AF_INET6)
		return appendIP(appendIP(dst, to6(s)), to6(d))
	case s.IsValid() || d.IsValid():
		dst = append(dst, unix.AF_INET)
		return appendIP(appendIP(dst, to4(s)), to4(d))
	}
	return dst
}

// AppendUnixTuple appends the encoding of a connection between two AF_UNIX
// sockets; addr is the address of the one that has a name, as system calls have
// it, or nil. source and dest are numbers that stand for the sockets, 0 if not
// known.
func AppendUnixTuple(dst []byte, source, dest uint64, addr []byte) []byte {
	dst = append(dst, unix.AF_UNIX)
	dst = binary.NativeEndian.AppendUint64(dst, source)
	dst = binary.NativeEndian.AppendUint64(dst, dest)
	if rawFamily(addr) == unix.AF_UNIX {
		dst = appendPath(dst, addr)
	}
	return append(dst, 0)
}

// rawFamily is the family of a kernel's address, 0 if it has none that an
// event can hold.
func rawFamily(raw []byte) uint8 {
	if len(raw) < 2 {
		return unix.AF_UNSPEC
	}
	switch family := binary.NativeEndian.Uint16(raw); {
	case family == unix.AF_INET && len(raw) >= 8,
		family == unix.AF_INET6 && len(raw) >= 24,
		family == unix.AF_UNIX:
		return uint8(family)
	}
	return unix.AF_UNSPEC
}

// rawIP decodes struct sockaddr_in and sockaddr_in6.
func rawIP(raw []byte) netip.AddrPort {
	var a netip.Addr
	switch rawFamily(raw) {
	case unix.AF_INET:
		a = netip.AddrFrom4([4]byte(raw[4:]))
	case unix.AF_INET6:
		a = netip.AddrFrom16([16]byte(raw[8:]))
	default:
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(raw[2:]))
}

// appendPath appends the path of a struct sockaddr_un. An abstract name, which
// may hold NULs, has @ in their place as in /proc/net/unix: without, it would
// pass for the path of a file. Those that only fill the address are left out.
func appendPath(dst, raw []byte) []byte {
	path := raw[2:]
	path = path[:min(len(path), maxUnixPath)]
	if len(path) == 0 || path[0] != 0 {
		return append(dst, cstring(path)...)
	}
	dst = append(dst, '@')
	for _, c := range bytes.TrimRight(path[1:], "\x00") {
		if c == 0 {
			c = '@'
		}
		dst = append(dst, c)
	}
	return dst
}

// to6 is a as an IPv6 address, all zero if there is none.
func to6(a netip.AddrPort) netip.AddrPort {
	if !a.IsValid() {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// to4 is a, which is no IPv6 address, or all zero if there is none.
func to4(a netip.AddrPort) netip.AddrPort {
	if !a.IsValid() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return a
}

func appendIP(dst []byte, a netip.AddrPort) []byte {
	if a.Addr().Is4() {
		ip := a.Addr().As4()
		dst = append(dst, ip[:]...)
	} else {
		ip := a.Addr().As16()
		dst = append(dst, ip[:]...)
	}
	return binary.NativeEndian.AppendUint16(dst, a.Port())
}

// DecodeSockAddr decodes a SOCKADDR parameter. It returns false if b is empty
// or too short for its family. Of a family that has no encoding only the number
// is returned.
func DecodeSockAddr(b []byte) (SockAddr, bool) {
	if len(b) == 0 {
		return SockAddr{}, false
	}
	a := SockAddr{Family: b[0]}
	ok := true
	switch a.Family {
	case unix.AF_INET, unix.AF_INET6:
		a.IP, _, ok = decodeIP(a.Family, b[1:])
	case unix.AF_UNIX:
		a.Path = cstring(b[1:])
	}
	return a, ok
}

// DecodeTuple decodes a SOCKTUPLE parameter. It returns false if b is empty or
// too short for its family. Of a family that has no encoding only the number is
// returned.
func DecodeTuple(b []byte) (SockTuple, bool) {
	if len(b) == 0 {
		return SockTuple{}, false
	}
	t := SockTuple{Family: b[0]}
	b = b[1:]
	ok := true
	switch t.Family {
	case unix.AF_INET, unix.AF_INET6:
		if t.Source, b, ok = decodeIP(t.Family, b); ok {
			t.Dest, _, ok = decodeIP(t.Family, b)
		}
	case unix.AF_UNIX:
		if ok = len(b) >= sizeUnixIDs; ok {
			t.SourceNode = binary.NativeEndian.Uint64(b)
			t.DestNode = binary.NativeEndian.Uint64(b[8:])
			t.Path = cstring(b[sizeUnixIDs:])
		}
	}
	return t, ok
}

func decodeIP(family uint8, b []byte) (netip.AddrPort, []byte, bool) {
	switch {
	case family == unix.AF_INET && len(b) >= sizeIPv4:
		ip := netip.AddrFrom4([4]byte(b))
		return netip.AddrPortFrom(ip, binary.NativeEndian.Uint16(b[4:])), b[sizeIPv4:], true
	case family == unix.AF_INET6 && len(b) >= sizeIPv6:
		ip := netip.AddrFrom16([16]byte(b))
		return netip.AddrPortFrom(ip, binary.NativeEndian.Uint16(b[16:])), b[sizeIPv6:], true
	}
	return netip.AddrPort{}, nil, false
}
