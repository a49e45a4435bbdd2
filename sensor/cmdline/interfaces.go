package cmdline

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/sensor/capture"
)

// interfaces are the addresses of this machine; none if the kernel does not
// tell.
func interfaces() (all []*capture.Interface) {
	answer, err := syscall.NetlinkRIB(unix.RTM_GETADDR, unix.AF_UNSPEC)
	if err != nil {
		return nil
	}
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return nil
	}
	for i := range messages {
		m := &messages[i]
		attributes, err := syscall.ParseNetlinkRouteAttr(m)
		if m.Header.Type != unix.RTM_NEWADDR || err != nil {
			continue
		}
		bits := int(m.Data[1]) // of struct ifaddrmsg
		if in := addressOf(attributes, bits); in.Addr.IsValid() {
			all = append(all, in)
		}
	}
	return all
}

// addressOf is an address in the attributes of a message of netlink, with a
// network of so many bits.
func addressOf(attributes []syscall.NetlinkRouteAttr, bits int) *capture.Interface {
	in := &capture.Interface{}
	for _, a := range attributes {
		addr, _ := netip.AddrFromSlice(a.Value)
		switch a.Attr.Type {
		case unix.IFA_LOCAL:
			in.Addr = addr
		case unix.IFA_ADDRESS: // of the other end, where there is a local one
			if !in.Addr.IsValid() {
				in.Addr = addr
			}
		case unix.IFA_BROADCAST:
			in.Broadcast = addr
		case unix.IFA_LABEL:
			in.Name = unix.ByteSliceToString(a.Value)
		}
	}
	mask := make([]byte, len(in.Addr.AsSlice()))
	for i := range min(bits, 8*len(mask)) {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	in.Mask, _ = netip.AddrFromSlice(mask)
	if in.Broadcast.BitLen() != in.Addr.BitLen() {
		in.Broadcast, _ = netip.AddrFromSlice(make([]byte, len(mask)))
	}
	return in
}
