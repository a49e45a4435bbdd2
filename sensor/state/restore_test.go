package state

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/capture"
)

// restoring is a table with what a capture has told.
func restoring() *Table {
	t := New(Config{})
	addr := netip.MustParseAddrPort
	for _, e := range []capture.Entry{
		&capture.Section{},
		&capture.Machine{Host: "h"},
		&capture.User{UID: 0, Name: "root"}, &capture.Group{GID: 50, Name: "staff"},
		&capture.Process{TID: 101, PID: 100, PTID: 1, Comm: "thread", Cwd: "/t", Flags: cloneFiles | cloneFS}, // before its process
		&capture.Process{TID: 100, PID: 100, PTID: 1, Comm: "pp", Cwd: "/srv", UID: 7},
		&capture.Process{TID: 102, PID: 100, PTID: 1, Comm: "alone", Cwd: "/t"},
		&capture.FD{TID: 100, Number: 0, Type: capture.FDFile, Name: "/a"},
		&capture.FD{TID: 100, Number: 1, Type: capture.FDFile2, Name: "/b"},
		&capture.FD{TID: 100, Number: 2, Type: capture.FDDirectory, Name: "/d"},
		&capture.FD{TID: 100, Number: 3, Type: capture.FDIPv4, Source: addr("10.0.0.1:8080"), Dest: addr("10.0.0.2:5555"), L4: capture.L4TCP},
		&capture.FD{TID: 100, Number: 4, Type: capture.FDIPv4Listen, Source: addr("0.0.0.0:8080"), L4: capture.L4TCP},
		&capture.FD{TID: 100, Number: 5, Type: capture.FDIPv6, Source: addr("[fe80::1]:1"), Dest: addr("[fe80::2]:2"), L4: capture.L4UDP},
		&capture.FD{TID: 100, Number: 6, Type: capture.FDIPv6Listen, Source: addr("[::]:2"), L4: capture.L4TCP},
		&capture.FD{TID: 100, Number: 7, Type: capture.FDIPv6, Source: addr("[::ffff:1.2.3.4]:1"), Dest: addr("[::ffff:5.6.7.8]:2"), L4: capture.L4TCP},
		&capture.FD{TID: 100, Number: 8, Type: capture.FDUnix, Name: "/run/s"},
		&capture.FD{TID: 100, Number: 9, Type: capture.FDFifo, Name: "pipe:[1]"},
		&capture.FD{TID: 100, Number: 10, Type: capture.FDEvent, Name: "anon_inode:[eventfd]"},
		&capture.FD{TID: 100, Number: 11, Type: capture.FDUnsupported, Name: "anon_inode:x"},
		&capture.FD{TID: 100, Number: 12, Type: capture.FDIPv4, Source: addr("10.0.0.1:99"), Dest: addr("10.0.0.2:8080"), L4: capture.L4UDP},
		&capture.FD{TID: 100, Number: 13, Type: capture.FDMem, Name: "m"},
		&capture.Interface{Name: "eth0", Addr: addr("10.0.0.1:0").Addr(), Mask: addr("255.255.255.0:0").Addr(), Broadcast: addr("10.0.0.255:0").Addr()},
		&capture.FD{TID: 100, Number: 14, Type: capture.FDIPv4, Source: addr("0.0.0.0:68"), Dest: addr("10.0.0.2:67"), L4: capture.L4UDP},
		&capture.FD{TID: 100, Number: 15, Type: capture.FDUnknown},
		&capture.FD{TID: 999, Number: 0, Type: capture.FDFile, Name: "/nobody's"},
	} {
		t.Restore(e)
	}
	return t
}

// facts are what a table knows, one line each.
func facts(t *testing.T, tab *Table) (lines []string) {
	t.Helper()
	for _, tid := range []int64{100, 101, 102} {
		at(t, tab, tid)
		th := tab.Current()
		lines = append(lines, fmt.Sprintf("%d %d %d %d %s %s %d", th.TID, th.PID, th.PTID, th.UID, th.Comm, tab.Cwd(), len(th.files.fds)))
	}
	at(t, tab, 101)
	for fd := range int64(16) {
		if d, ok := tab.FD(fd); ok {
			lines = append(lines, fmt.Sprintf("%d %c%c %s", fd, d.Letter, max(d.L4, ' '), d.Name))
		}
	}
	check(t, tab)
	return append(lines, tab.User(0), tab.Group(50))
}

// at applies an event of a thread that changes nothing.
func at(t *testing.T, tab *Table, tid int64) {
	t.Helper()
	const closeX = 5
	var v event.View
	if err := v.Parse(testrecord.Make(t, startTime, tid, closeX, 1)); err != nil {
		t.Fatal(err)
	}
	tab.Apply(&v)
}

// TestDumpFiles wants what is known of files besides their names to be told.
func TestDumpFiles(t *testing.T) {
	tab := New(Config{})
	for _, e := range []capture.Entry{
		&capture.Section{},
		&capture.Process{TID: 100, PID: 100, Comm: "pp", Cwd: "/"},
		&capture.FD{TID: 100, Number: 1, Type: capture.FDFile2, Name: "/b", Flags: upperLayer, Dev: 5, Ino: 77},
		&capture.FD{TID: 100, Number: 2, Type: capture.FDDirectory, Name: "/d", Ino: 78},
		&capture.FD{TID: 100, Number: 3, Type: capture.FDIPv4, Source: netip.MustParseAddrPort("10.0.0.1:80"), Dest: netip.MustParseAddrPort("10.0.0.2:5555"), L4: capture.L4TCP, Ino: 79},
	} {
		tab.Restore(e)
	}
	at(t, tab, 100)
	again := New(Config{})
	again.Restore(&capture.Section{})
	tab.Dump(again.Restore)
	at(t, again, 100)
	for fd, want := range map[int64]File{
		1: {Raw: "/b", Dev: 5, Ino: 77, Upper: true}, 2: {Raw: "/d", Ino: 78}, 3: {Ino: 79},
	} {
		got := again.File(fd)
		if fd == 3 {
			got.Raw = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d (-want +got)\n%s", fd, diff)
		}
	}
}

func TestRestore(t *testing.T) {
	want := []string{
		"100 100 1 7 pp /srv/ 15",
		"101 100 1 0 thread /srv/ 15",
		"102 100 1 0 alone /srv/ 0", // as sysdig has it: the list does not say that the directory is its own
		"0 f  /a", "1 f  /b", "2 d  /d",
		"3 4t 10.0.0.2:5555->10.0.0.1:8080",
		"4 4t 0.0.0.0:8080",
		"5 6  fe80::1:1->fe80::2:2",
		"6 6t :::2",
		"7 4t 1.2.3.4:1->5.6.7.8:2",
		"8 u  /run/s",
		"9 p  pipe:[1]",
		"10 e  anon_inode:[eventfd]",
		"11 X  anon_inode:x",
		"12 4u 10.0.0.1:99->10.0.0.2:8080",
		"13 m  m",
		"14 4u 0.0.0.0:68->10.0.0.2:67", // sysdig does not look for the interface either
		"root", "staff",
	}
	tab := restoring()
	if diff := cmp.Diff(want, facts(t, tab)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	// What a table tells another one is the same.
	for name, from := range map[string]*Table{"as read": restoring(), "after events": tab} {
		again := New(Config{})
		again.Restore(&capture.Section{})
		from.Dump(again.Restore)
		if diff := cmp.Diff(want, facts(t, again)); diff != "" {
			t.Errorf("told, %s (-want +got)\n%s", name, diff)
		}
	}

	tab.Restore(&capture.Section{})
	at(t, tab, 100)
	if got := tab.Current().Comm; got != unknown || tab.User(0) != "" {
		t.Errorf("a new section: got thread %q, user %q, want neither", got, tab.User(0))
	}
	check(t, tab)
}

// TestRestoreBounds gives a table more than it holds.
func TestRestoreBounds(t *testing.T) {
	tab := New(Config{MaxThreads: 4, MaxFDs: 3, MaxAllFDs: 5})
	tab.Restore(&capture.Section{})
	for tid := range int64(10) {
		tab.Restore(&capture.Process{TID: tid + 1, PID: 1, Flags: cloneFiles})
		tab.Restore(&capture.Process{TID: tid + 1, PID: 1, Flags: cloneFiles}) // twice
		for fd := range int64(10) {
			tab.Restore(&capture.FD{TID: tid + 1, Number: fd - 1, Type: capture.FDFile})
		}
	}
	at(t, tab, 2)
	check(t, tab)
	if st := tab.Stats(); st.Threads != 4 || st.ThreadsLost == 0 || st.DescriptorsLost == 0 {
		t.Errorf("got %+v", st)
	}
}

// TestSnapshot wants this process, but not what is born by the first event.
func TestSnapshot(t *testing.T) {
	const cloneX = 223
	view := func(typ uint16, tid int64) *event.View {
		var v event.View
		if err := v.Parse(testrecord.Make(t, startTime, tid, typ, 0)); err != nil {
			t.Fatal(err)
		}
		return &v
	}
	self := int64(os.Getpid())
	tab := New(Config{Root: "/"})
	tab.Snapshot(view(3, self))
	if tab.threads[self] == nil || tab.threads[1] == nil {
		t.Error("this process or the first one is missing")
	}
	check(t, tab)
	tab = New(Config{Root: "/"})
	parent := self
	for n := range int64(20) { // its descendants, each known as one by the one before
		tab.childOf(tab.add(maxTID+n), parent)
		parent = maxTID + n
	}
	tab.Snapshot(view(cloneX, self))
	if tab.threads[self] != nil || tab.threads[1] == nil {
		t.Error("this process is there, or the first one is missing")
	}
	for n := range int64(20) {
		if tab.threads[maxTID+n] != nil {
			t.Errorf("descendant %d is there", n)
		}
	}
	check(t, tab)
}
