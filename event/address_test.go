package event

import (
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The kernel's addresses are written as on a little-endian machine.
func TestAppendSockAddr(t *testing.T) {
	for _, c := range []struct{ name, raw, want, text string }{
		{"IPv4", "0200 01bb 5db8d822 0000000000000000", "02 5db8d822 bb01", "93.184.216.34:443"},
		{"IPv4, shortest", "0200 01bb 5db8d822", "02 5db8d822 bb01", "93.184.216.34:443"},
		{"IPv4, too short", "0200 01bb 5db8d8", "", "NULL"},
		{"IPv6", "0a00 0016 00000000 20010db8000000000000000000000001 00000000", "0a 20010db8000000000000000000000001 1600", "2001:db8::1:22"},
		{"IPv6, no scope", "0a00 0016 00000000 20010db8000000000000000000000001", "0a 20010db8000000000000000000000001 1600", "2001:db8::1:22"},
		{"IPv6, too short", "0a00 0016 00000000 20010db80000000000000000000000", "", "NULL"},
		{"IPv6, mapped", "0a00 0001 00000000 00000000000000000000ffff0a000002", "0a 00000000000000000000ffff0a000002 0100", "::ffff:10.0.0.2:1"},
		{"unix", "0100 2f72756e2f78 00", "01 2f72756e2f78 00", "/run/x"},
		{"unix, no NUL", "0100 2f72756e2f78", "01 2f72756e2f78 00", "/run/x"},
		{"unix, what follows", "0100 2f78 00 6162", "01 2f78 00", "/x"},
		{"unix, abstract", "0100 00 6162", "01 406162 00", "@ab"},
		{"unix, abstract with NUL", "0100 00 61 00 62", "01 40614062 00", "@a@b"},
		{"unix, abstract with NULs at the end", "0100 00 61 00 00", "01 4061 00", "@a"},
		{"unix, abstract of NULs", "0100 00 00 00", "01 40 00", "@"},
		{"unix, longest abstract", "0100 00" + strings.Repeat("61", 120), "01 40" + strings.Repeat("61", 107) + "00", "@" + strings.Repeat("a", 107)},
		{"unix, unnamed", "0100", "01 00", ""},
		{"unix, longest", "0100" + strings.Repeat("61", 120), "01" + strings.Repeat("61", 108) + "00", strings.Repeat("a", 108)},
		{"netlink", "1000 0000 00000000 00000000", "", "NULL"},
		{"none", "0000", "", "NULL"},
		{"family cut", "02", "", "NULL"},
		{"empty", "", "", "NULL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := AppendSockAddr([]byte("x"), unhex(t, c.raw))[1:]
			if want := unhex(t, c.want); string(got) != string(want) {
				t.Errorf("got %x, want %x", got, want)
			}
			if text := string(appendSockAddrText(nil, got)); text != c.text {
				t.Errorf("got %s, want %s", text, c.text)
			}
		})
	}
}

func TestAppendTuple(t *testing.T) {
	const (
		a4 = "0200 c822 0a00020f 0000000000000000"
		b4 = "0200 01bb 5db8d822"
		a6 = "0a00 9c40 00000000 20010db8000000000000000000000099"
		b6 = "0a00 0016 00000000 20010db8000000000000000000000001"
		ux = "0100 2f78"
	)
	for _, c := range []struct{ name, source, dest, want, text string }{
		{"IPv4", a4, b4, "02 0a00020f 22c8 5db8d822 bb01", "10.0.2.15:51234->93.184.216.34:443"},
		{"IPv4, no source", "", b4, "02 00000000 0000 5db8d822 bb01", "0.0.0.0:0->93.184.216.34:443"},
		{"IPv4, no destination", a4, "", "02 0a00020f 22c8 00000000 0000", "10.0.2.15:51234->0.0.0.0:0"},
		{"IPv6", a6, b6, "0a 20010db8000000000000000000000099 409c 20010db8000000000000000000000001 1600", "2001:db8::99:40000->2001:db8::1:22"},
		{"IPv6, no source", "", b6, "0a 00000000000000000000000000000000 0000 20010db8000000000000000000000001 1600", ":::0->2001:db8::1:22"},
		{"IPv6, no destination", a6, "", "0a 20010db8000000000000000000000099 409c 00000000000000000000000000000000 0000", "2001:db8::99:40000->:::0"},
		{"IPv4 from an IPv6 socket", a6, b4, "0a 20010db8000000000000000000000099 409c 00000000000000000000ffff5db8d822 bb01", "2001:db8::99:40000->::ffff:93.184.216.34:443"},
		{"unix", ux, ux, "", "NULL"},
		{"none", "", "", "", "NULL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := AppendTuple([]byte("x"), unhex(t, c.source), unhex(t, c.dest))[1:]
			if want := unhex(t, c.want); string(got) != string(want) {
				t.Errorf("got %x, want %x", got, want)
			}
			if text := string(appendTupleText(nil, got)); text != c.text {
				t.Errorf("got %s, want %s", text, c.text)
			}
		})
	}
}

func TestAppendUnixTuple(t *testing.T) {
	for _, c := range []struct{ name, addr, want, text string }{
		{"path", "0100 2f78 00", "01 0201000000000000 0400000000000000 2f78 00", "102->4 /x"},
		{"abstract", "0100 00 6162", "01 0201000000000000 0400000000000000 406162 00", "102->4 @ab"},
		{"none", "", "01 0201000000000000 0400000000000000 00", "102->4 "},
		{"control characters", "0100 2f0a78", "01 0201000000000000 0400000000000000 2f0a78 00", "102->4 /x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := AppendUnixTuple([]byte("x"), 0x102, 4, unhex(t, c.addr))[1:]
			if want := unhex(t, c.want); string(got) != string(want) {
				t.Errorf("got %x, want %x", got, want)
			}
			if text := string(appendTupleText(nil, got)); text != c.text {
				t.Errorf("got %s, want %s", text, c.text)
			}
		})
	}
}

func TestDecodeShort(t *testing.T) {
	for _, whole := range []string{
		"02 0a00020f 22c8 5db8d822 bb01",
		"0a 20010db8000000000000000000000099 409c 20010db8000000000000000000000001 1600",
		"01 0201000000000000 0400000000000000",
	} {
		b := unhex(t, whole)
		if _, ok := DecodeTuple(b); !ok {
			t.Errorf("%s is not decoded", whole)
		}
		for n := range len(b) {
			if _, ok := DecodeTuple(b[:n]); ok {
				t.Errorf("%x is decoded", b[:n])
			}
		}
		half := 1 + (len(b)-1)/2
		if _, ok := DecodeSockAddr(b[:half]); !ok {
			t.Errorf("%x is not decoded", b[:half])
		}
		if _, ok := DecodeSockAddr(b[:half-1]); ok && b[0] != 1 {
			t.Errorf("%x is decoded", b[:half-1])
		}
	}
}
