package capture

import "net/netip"

func (l *list) connection(fd *FD, addr func() netip.Addr) {
	source, dest := addr(), addr()
	fd.Source = netip.AddrPortFrom(source, l.u16())
	fd.Dest = netip.AddrPortFrom(dest, l.u16())
	fd.L4 = l.u8()
}

func (l *list) listening(fd *FD, addr func() netip.Addr) {
	source := addr()
	fd.Source = netip.AddrPortFrom(source, l.u16())
	fd.L4 = l.u8()
}
