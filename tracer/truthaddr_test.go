package tracer

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// internet and local are addresses as the kernel has them.
func internet(text string) []byte {
	var buf [unix.SizeofSockaddrAny]byte
	return buf[:putAddr(&buf, netip.MustParseAddrPort(text))]
}

func local(name string) []byte {
	return append(binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX), name...)
}

// TestCompareAddress: what the kernel has chosen is no other address than that of the
// call, and everything else is.
func TestCompareAddress(t *testing.T) {
	for _, tt := range []struct {
		name          string
		asked, kernel []byte
		object        string
		differs       bool
	}{
		{"the same", internet("127.0.0.1:80"), internet("127.0.0.1:80"), "127.0.0.1:80", false},
		{"another address", internet("127.0.0.1:80"), internet("127.0.0.2:80"), "127.0.0.2:80", true},
		{"another port", internet("127.0.0.1:80"), internet("127.0.0.1:81"), "127.0.0.1:81", true},
		{"a port that is chosen", internet("127.0.0.1:0"), internet("127.0.0.1:81"), "127.0.0.1:81", false},
		{"an address that is chosen", internet("0.0.0.0:80"), internet("127.0.0.1:80"), "127.0.0.1:80", false},
		{"IPv4 of IPv6", internet("127.0.0.1:80"), internet("[::ffff:127.0.0.1]:80"), "::ffff:127.0.0.1:80", false},
		{"another one of IPv6", internet("[::1]:80"), internet("[::2]:80"), "::2:80", true},
		{"a name", local("/a"), local("/a"), "/a", false},
		{"a name that is chosen", local(""), local("\x0000001"), "@00001", false},
		{"another abstract name", local("\x00a"), local("\x00b"), "@b", true},
		{"an abstract name of a file", local("/none"), local("\x00b"), "@b", true},
		{"another family", local("/a"), internet("127.0.0.1:80"), "127.0.0.1:80", true},
		{"and the other way", internet("127.0.0.1:80"), local("/a"), "/a", true},
		{"nothing is known", internet("127.0.0.1:80"), nil, "", false},
		{"nothing was read", nil, internet("127.0.0.1:80"), "127.0.0.1:80", false},
	} {
		tr := &Tracer{}
		th := &thread{proc: &process{}}
		th.call.addr = tt.asked
		tr.compareAddress(th, tt.kernel, true)
		if got := tr.truth.Mismatch == event.OtherObject; got != tt.differs || string(tr.truth.Object) != tt.object {
			t.Errorf("%s: differs %v, object %q; want %v, %q", tt.name, got, tr.truth.Object, tt.differs, tt.object)
		}
	}
	for _, tt := range []struct {
		name    string
		asked   []byte
		listed  string // in /proc
		object  string
		differs bool
	}{
		{"an abstract name", local("\x00a"), "@a", "@a", false},
		{"one that fills its address", local("\x00a" + strings.Repeat("\x00", 106)), "@a" + strings.Repeat("@", 106), "@a", false},
		{"one with a NUL within", local("\x00a\x00b"), "@a@b", "@a@b", false},
		{"one with @ at its end", local("\x00a@"), "@a@", "@a", false},
		{"one of two lines", local("\x00a\nb"), "@a", "@a", false},
		{"a path that begins so", local("@a"), "@a", "@a", false},
		{"another name", local("\x00a"), "@b", "@b", true},
		{"a longer one", local("\x00a"), "@ab", "@ab", true},
		{"a file", local("\x00a"), "/a", "/a", true},
		{"a name instead of a file", local("/none"), "@a", "@a", true},
	} {
		var buf [unix.SizeofSockaddrAny]byte
		tr, th := &Tracer{ends: endpoints{listed: true}}, &thread{proc: &process{}}
		th.call.addr = tt.asked
		tr.compareAddress(th, buf[:putName(&buf, []byte(tt.listed))], true)
		if got := tr.truth.Mismatch == event.OtherObject; got != tt.differs || string(tr.truth.Object) != tt.object {
			t.Errorf("%s in /proc: differs %v, object %q; want %v, %q", tt.name, got, tr.truth.Object, tt.differs, tt.object)
		}
	}
	tr, th := &Tracer{}, &thread{proc: &process{}}
	th.call.addr = internet("127.0.0.1:80")
	if tr.compareAddress(th, internet("127.0.0.1:1"), false); tr.truth.Mismatch != 0 {
		t.Errorf("ports that say nothing: got %v", tr.truth.Mismatch)
	}
}
