package event

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// AppendTo appends the address as sysdig writes it: 1.2.3.4:80, ::1:80 (no
// brackets), /run/x.sock, which may hold any byte, or "family 16".
func (a SockAddr) AppendTo(dst []byte) []byte {
	switch a.Family {
	case unix.AF_INET, unix.AF_INET6:
		return appendAddrPort(dst, a.IP)
	case unix.AF_UNIX:
		return append(dst, a.Path...)
	}
	return appendFamily(dst, a.Family)
}

// AppendTo appends the connection as sysdig writes it: source->destination,
// with lower-case hexadecimal numbers and then the path for AF_UNIX. It is
// written as one of IPv4 if both ends are IPv4-mapped or all zero.
func (t SockTuple) AppendTo(dst []byte) []byte {
	switch t.Family {
	case unix.AF_INET, unix.AF_INET6:
		source, dest := t.Source, t.Dest
		if s, ok := unmapped(source); ok {
			if d, ok := unmapped(dest); ok {
				source, dest = s, d
			}
		}
		dst = appendAddrPort(dst, source)
		dst = append(dst, "->"...)
		return appendAddrPort(dst, dest)
	case unix.AF_UNIX:
		dst = strconv.AppendUint(dst, t.SourceNode, 16)
		dst = append(dst, "->"...)
		dst = strconv.AppendUint(dst, t.DestNode, 16)
		dst = append(dst, ' ')
		return append(dst, t.Path...)
	}
	return appendFamily(dst, t.Family)
}

// unmapped is a as an IPv4 address, if it is IPv4-mapped or all zero.
func unmapped(a netip.AddrPort) (netip.AddrPort, bool) {
	switch ip := a.Addr(); {
	case ip.Is4():
		return a, true
	case ip.Is4In6():
		return netip.AddrPortFrom(ip.Unmap(), a.Port()), true
	case ip == netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port()), true
	}
	return a, false
}

func appendAddrPort(dst []byte, a netip.AddrPort) []byte {
	dst = appendAddr(dst, a.Addr())
	dst = append(dst, ':')
	return strconv.AppendUint(dst, uint64(a.Port()), 10)
}

// appendAddr writes an address as the C library does: in the form of RFC 5952,
// and the obsolete IPv4-compatible addresses as ::1.2.3.4.
func appendAddr(dst []byte, a netip.Addr) []byte {
	if ip := a.As16(); a.Is6() && [12]byte(ip[:]) == [12]byte{} && (ip[12] != 0 || ip[13] != 0) {
		return netip.AddrFrom4([4]byte(ip[12:])).AppendTo(append(dst, "::"...))
	}
	return a.AppendTo(dst)
}

func appendFamily(dst []byte, family uint8) []byte {
	return strconv.AppendUint(append(dst, "family "...), uint64(family), 10)
}

// appendSockAddrText is the text of a SOCKADDR parameter.
func appendSockAddrText(dst, raw []byte) []byte {
	if a, ok := DecodeSockAddr(raw); ok {
		start := len(dst)
		return AppendPrintable(dst, a.AppendTo(dst)[start:])
	}
	return appendNoAddr(dst, raw)
}

// appendTupleText is the text of a SOCKTUPLE parameter.
func appendTupleText(dst, raw []byte) []byte {
	if t, ok := DecodeTuple(raw); ok {
		start := len(dst)
		return AppendPrintable(dst, t.AppendTo(dst)[start:])
	}
	return appendNoAddr(dst, raw)
}

// appendNoAddr is the text of what cannot be decoded.
func appendNoAddr(dst, raw []byte) []byte {
	switch {
	case len(raw) == 0:
		return append(dst, "NULL"...)
	case raw[0] == unix.AF_INET:
		return append(dst, "INVALID IPv4"...)
	case raw[0] == unix.AF_INET6:
		return append(dst, "INVALID IPv6"...)
	}
	return append(dst, "INVALID UNIX"...)
}
