package cmdline

import (
	"net"
	"net/netip"
	"testing"
)

func TestInterfaces(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, in := range interfaces() {
		ones := 0
		for _, b := range in.Mask.AsSlice() {
			for ; b != 0; b <<= 1 {
				ones++
			}
		}
		got[netip.PrefixFrom(in.Addr, ones).String()] = true
		if !in.Broadcast.IsValid() || in.Broadcast.Is4() != in.Addr.Is4() {
			t.Errorf("%v: got broadcast address %v", in.Addr, in.Broadcast)
		}
	}
	for _, a := range addrs {
		if !got[a.String()] {
			t.Errorf("%v is missing in %v", a, got)
		}
	}
}
