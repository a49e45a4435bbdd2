package procfs

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// inode is the number of a connection's or listener's socket.
func inode(t *testing.T, c any) uint64 {
	t.Helper()
	f, err := c.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// find is the socket of this process's network with that number.
func find(ino uint64) (found Socket, ok bool) {
	Sockets("/proc", os.Getpid(), func(s *Socket) bool {
		if s.Ino == ino {
			found, ok = *s, true
			found.Path = append([]byte(nil), s.Path...)
		}
		return !ok
	})
	return found, ok
}

func TestSockets(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	own := listener.Addr().(*net.TCPAddr).AddrPort()
	if s, ok := find(inode(t, listener)); !ok || !s.Listens || s.Local != own || s.Proto != unix.IPPROTO_TCP || s.Family != unix.AF_INET {
		t.Errorf("listener: got %+v, %v", s, ok)
	}
	client, err := net.Dial("tcp4", own.String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if s, ok := find(inode(t, client)); !ok || s.Listens || s.Remote != own || s.Local != client.LocalAddr().(*net.TCPAddr).AddrPort() {
		t.Errorf("client: got %+v, %v", s, ok)
	}
	if udp, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback}); err == nil {
		defer udp.Close()
		if s, ok := find(inode(t, udp)); !ok || s.Local != udp.LocalAddr().(*net.UDPAddr).AddrPort() || s.Type != unix.SOCK_DGRAM || s.Remote.Port() != 0 {
			t.Errorf("datagrams: got %+v, %v", s, ok)
		}
	}
	path := filepath.Join(t.TempDir(), "a name")
	local, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if s, ok := find(inode(t, local)); !ok || !s.Listens || string(s.Path) != path || s.Type != unix.SOCK_STREAM {
		t.Errorf("unix: got %+v %q, %v", s, s.Path, ok)
	}
	if s, ok := find(1 << 60); ok {
		t.Errorf("no socket: got %+v", s)
	}
}

// TestHostileSockets reads files that the kernel would not write.
func TestHostileSockets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "1", "net")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := "heading\n0: 0100007F:0016 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n" +
		"0: 0100007F 00000000:0000 0A 0:0 0:0 0 0 0 78\n0: xx:1\n\n0: 0100007F:10016 0:0 0A 0 0 0 0 0 79\n" +
		"0: 0100007F:0017 00000000:0000 01 0:0 0:0 0 0 0 80\n"
	if err := os.WriteFile(filepath.Join(dir, "tcp"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []Socket
	Sockets(filepath.Dir(filepath.Dir(dir)), 1, func(s *Socket) bool {
		got = append(got, *s)
		return true
	})
	want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:22"), netip.MustParseAddrPort("127.0.0.1:23")}
	if len(got) != 2 || got[0].Local != want[0] || got[0].Ino != 77 || !got[0].Listens || got[1].Local != want[1] || got[1].Listens {
		t.Errorf("got %+v", got)
	}
}
