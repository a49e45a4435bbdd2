package state

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// TestReceived: descriptors that came with a message are what /proc says, not
// what their numbers were before.
func TestReceived(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "sent"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	name := fmt.Sprintf("<4t>%v->%v", client.LocalAddr(), client.RemoteAddr())
	want := map[int]string{
		int(file.Fd()): "<f>" + file.Name(), fdOf(t, listener): "<4t>" + listener.Addr().String(),
		fdOf(t, client): name, fdOf(t, served): name, 1 << 20: "",
	}
	var fds []int
	for fd := range want {
		fds = append(fds, fd)
	}
	tab := New(Config{Root: "/"})
	tid := int64(os.Getpid())
	apply(t, tab, fmt.Sprintf("%d > read fd=99", tid))
	for _, fd := range fds {
		tab.set(tab.cur.files, int64(fd), kind('p')) // what it was before
	}
	apply(t, tab, fmt.Sprintf("%d < recvmsg res=1", tid))
	deliver(t, tab, tid, rightsOf(fds...), event.Truth{})
	got := map[int]string{}
	for _, fd := range fds {
		got[fd] = ""
		if d, ok := tab.FD(int64(fd)); ok {
			proto := ""
			if d.L4 != 0 {
				proto = string(rune(d.L4))
			}
			got[fd] = fmt.Sprintf("<%c%s>%s", d.Letter, proto, d.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if tab.Server(int64(fdOf(t, client))) || !tab.Server(int64(fdOf(t, served))) {
		t.Error("who has accepted is not the server")
	}
}

// fdOf is the number of a connection's descriptor.
func fdOf(t *testing.T, c any) int {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := -1
	if err := raw.Control(func(fd uintptr) { n = int(fd) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// rightsOf is the ancillary data that brings descriptors, behind credentials.
func rightsOf(fds ...int) []byte {
	return slices.Concat(unix.UnixCredentials(&unix.Ucred{Pid: 1}), unix.UnixRights(fds...))
}

// deliver applies the end of a recvmsg with ancillary data.
func deliver(t *testing.T, tab *Table, tid int64, control []byte, truth event.Truth) {
	t.Helper()
	var e event.Encoder
	const recvmsg = 53
	info := &syscalls.Events[recvmsg]
	e.Begin(startTime, tid, recvmsg, len(info.Params))
	for i := range info.Params {
		p := &info.Params[i]
		if p.Name == "msgcontrol" {
			e.Bytes(control)
			continue
		}
		if n := p.Type.Size(); n > 0 {
			e.Int(n, 3)
		} else {
			e.Bytes(nil)
		}
	}
	rec, err := e.EndWith(&truth)
	if err != nil {
		t.Fatal(err)
	}
	var v event.View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	tab.Apply(&v)
	check(t, tab)
}

// TestTaken: pidfd_getfd makes a copy of what the other process has.
func TestTaken(t *testing.T) {
	tab := New(Config{})
	apply(t, tab, "100 < open fd=3 name=/theirs flags=1", "101 < pidfd_open@409 fd=4 pid=100")
	tab.cur.VTID = tab.cur.TID
	if got := apply(t, tab, "101 < pidfd_getfd@407 fd=5 pid_fd=4 target_fd=3"); got != "<NA> (101) < pidfd_getfd fd=5(<f>/theirs) pid_fd=4(<P>/proc/100) target_fd=3 flags=0 " {
		t.Errorf("got %q", got)
	}
}

// TestReceivedTruth: what the truth behind a record tells goes before what was known,
// without /proc. What it does not tell of, or tells of numbers that did not come, is
// not believed.
func TestReceivedTruth(t *testing.T) {
	inet := func(last, port byte) []byte {
		return []byte{unix.AF_INET, 0, 0, port, 127, 0, 0, last, 0, 0, 0, 0, 0, 0, 0, 0}
	}
	var list []byte
	for _, r := range []event.Received{
		{FD: 3, Link: []byte("/a file")},
		{FD: 3, Link: []byte("/a file twice")},
		{FD: 4, Link: []byte("/dir"), Dir: true},
		{FD: 5, Link: []byte("pipe:[7]")},
		{FD: 6, Link: []byte("socket:[8]"), Local: inet(1, 80), Proto: unix.IPPROTO_TCP, Listens: true},
		{FD: 7, Link: []byte("socket:[9]"), Local: inet(1, 90), Peer: inet(2, 80), Proto: unix.IPPROTO_TCP},
		{FD: 8, Link: []byte("socket:[10]"), Local: []byte("\x01\x00/s")},
		{FD: 9, Link: []byte("socket:[11]"), Local: []byte{unix.AF_INET, 0}},
		{FD: 99, Link: []byte("/did not come")},
	} {
		list = r.AppendTo(list, 1<<16)
	}
	want := map[int64]string{
		3: "f/a file", 4: "d/dir", 5: "ppipe:[7]", 6: "4127.0.0.1:80", 7: "4127.0.0.1:90->127.0.0.2:80", 8: "u/s", 9: "Xsocket:[11]",
	}
	for _, cfg := range []Config{{}, {Sysdig: true}} {
		tab := New(cfg)
		apply(t, tab, "1 > read fd=99")
		tab.set(tab.cur.files, 3, kind('p'))
		apply(t, tab, "1 < recvmsg res=1")
		deliver(t, tab, 1, rightsOf(3, 4, 5, 6, 7, 8, 9, 10), event.Truth{Received: append(list, 1, 2, 3)})
		got := map[int64]string{}
		for fd := range int64(100) {
			if d, ok := tab.FD(fd); ok {
				got[fd] = string(d.Letter) + d.Name
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: want (-), got (+):\n%s", cfg, diff)
		}
	}
}
