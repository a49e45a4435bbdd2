package state

import (
	"net/netip"

	"github.com/pdig/pdig/sensor/capture"
)

// interfaces are the addresses of the machine's network interfaces.
type interfaces []capture.Interface

// maxInterfaces bounds what a capture can make of it.
const maxInterfaces = 1 << 12

func (n *interfaces) add(i *capture.Interface) {
	if len(*n) < maxInterfaces {
		*n = append(*n, *i)
	}
}

// complete puts in an address that one end of a message lacks.
func (n interfaces) complete(e *ends, p place) {
	source, dest := e.source(p), e.target(p)
	missing, at, other := source.Addr(), 0, dest.Addr()
	if !missing.IsUnspecified() {
		missing, at, other = dest.Addr(), p.dest, source.Addr()
	}
	if !missing.IsUnspecified() {
		return
	}
	own := n.facing(other)
	if own == other && source.Port() == dest.Port() {
		return // it would talk to itself
	}
	e.putAddr(p, at, own)
}

// facing is the own address that the machine uses with another one.
func (n interfaces) facing(other netip.Addr) netip.Addr {
	for _, near := range [...]func(*capture.Interface) bool{
		func(i *capture.Interface) bool { return i.Addr == other },
		func(i *capture.Interface) bool { return sameNet(i, other) },
		func(i *capture.Interface) bool { return !i.Addr.IsLoopback() },
	} {
		for i := range n {
			if n[i].Addr.Is4() == other.Is4() && near(&n[i]) {
				return n[i].Addr
			}
		}
	}
	if other.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// sameNet reports whether an address is in the network of an interface. Those of
// IPv6 have 64 bits for libsinsp.
func sameNet(i *capture.Interface, a netip.Addr) bool {
	own, other := i.Addr.AsSlice(), a.AsSlice()
	if a.Is6() {
		return string(own[:8]) == string(other[:8])
	}
	for n, mask := range i.Mask.AsSlice() {
		if (own[n]^other[n])&mask != 0 {
			return false
		}
	}
	return true
}
