package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/syscalls"
)

// apply applies events in the words of a script and returns what is printed
// for the last.
func apply(t *testing.T, tab *Table, lines ...string) string {
	t.Helper()
	var e event.Encoder
	var v event.View
	text := ""
	for _, line := range lines {
		rec, err := testrecord.Line(&e, startTime, line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := v.Parse(rec); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		tab.Apply(&v)
		check(t, tab)
		text = print(tab, &v)
	}
	return text
}

// root makes a machine with one process, 10 named "wor ker", that has another
// thread, 11.
func root(t *testing.T) string {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n\nodd\nadmin:x:0:0::/:/bin/sh\nbig:x:4294967296:0::/:\n:x:7:7::/:\nwww-data:x:33:33::/:/bin/sh\n")
	write("etc/group", "root:x:0:\nwebs:x:33:www-data\n")
	write("proc/10/status", "Name:\twor ker\nTgid:\t10\nPPid:\t1\nUid:\t5\t33\t5\t5\n")
	write("proc/11/status", "Name:\thelper\nTgid:\t10\nPPid:\t1\nUid:\t5\t33\t5\t5\n")
	link("/srv/www", "proc/10/cwd")
	for fd, target := range []string{
		"/", "/dev/null", "pipe:[77]", "socket:[78]", "anon_inode:[eventfd]", "anon_inode:[eventpoll]",
		"anon_inode:[signalfd]", "anon_inode:[timerfd]", "anon_inode:inotify", "anon_inode:[pidfd]", "anon_inode:bpf-map",
	} {
		link(target, "proc/10/fd/"+strconv.Itoa(fd))
	}
	return dir
}

func TestLookup(t *testing.T) {
	tab := New(Config{Root: root(t)})
	want := "wor ker (10) > open name=r(/srv/www/r) flags=0(O_NONE) mode=0 "
	if got := apply(t, tab, "10 > open name=r"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var got []string
	for fd := range int64(12) {
		name, ok := tab.FD(fd)
		got = append(got, fmt.Sprintf("%v %c %s", ok, max(' ', name.Letter), name.Name))
	}
	if diff := cmp.Diff([]string{
		"true d /", "true f /dev/null", "true p pipe:[77]", "true X socket:[78]",
		"true e anon_inode:[eventfd]", "true l anon_inode:[eventpoll]", "true s anon_inode:[signalfd]",
		"true t anon_inode:[timerfd]", "true i anon_inode:inotify", "true P anon_inode:[pidfd]",
		"true X anon_inode:bpf-map", "false   ",
	}, got); diff != "" {
		t.Errorf("descriptors (-want +got)\n%s", diff)
	}
	if th := tab.Current(); th.TID != 10 || th.PID != 10 || th.PTID != 1 || th.UID != 33 || th.Comm != "wor ker" {
		t.Errorf("got thread %d of %d, child of %d, user %d, %q", th.TID, th.PID, th.PTID, th.UID, th.Comm)
	}

	// The other thread shares both.
	want = "helper (11) > openat dirfd=0(<d>/) name=r(//r) flags=0(O_NONE) mode=0 "
	if got := apply(t, tab, "11 > open name=q", "11 < open fd=40 name=q", "11 > openat dirfd=0 name=r"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	want = "wor ker (10) > close fd=40(<f>/srv/www/q) "
	if got := apply(t, tab, "10 > close fd=40"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if s := tab.Stats(); s.Lookups != 2 || s.Unknown != 0 {
		t.Errorf("got %d lookups, %d unknown, want 2, 0", s.Lookups, s.Unknown)
	}

	// A thread that is not there is asked for once.
	want = "<NA> (12) > close fd=0 "
	if got := apply(t, tab, "12 > open name=x", "12 > close fd=0"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if s := tab.Stats(); s.Lookups != 3 || s.Unknown != 1 {
		t.Errorf("got %d lookups, %d unknown, want 3, 1", s.Lookups, s.Unknown)
	}
}

// TestFirst is about the first event of a command: that it was cloned.
func TestFirst(t *testing.T) {
	const first = "20 < clone res=0 comm=cmd exe=cmd tid=20 pid=20 ptid=10 vtid=20 vpid=20"
	dir := root(t)
	tab := New(Config{Root: dir})
	// Its own descriptors cannot be read: those of its parent.
	got := apply(t, tab, first, "20 > openat dirfd=1 name=r")
	if want := "cmd (20) > openat dirfd=1(<f>/dev/null) name=r(/dev/null/r) flags=0(O_NONE) mode=0 "; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// Descriptors are its own, the working directory is still its parent's.
	for name, target := range map[string]string{"cwd": "/elsewhere", "fd/1": "/out"} {
		path := filepath.Join(dir, "proc/20", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	tab = New(Config{Root: dir})
	if got, want := apply(t, tab, first, "20 > close fd=1"), "cmd (20) > close fd=1(<f>/out) "; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got, want := tab.Cwd(), "/srv/www/"; got != want {
		t.Errorf("working directory: got %q, want %q", got, want)
	}
	// The parent is not known either.
	tab = New(Config{Root: dir})
	apply(t, tab, strings.Replace(first, "ptid=10", "ptid=9", 1))
	if got, want := tab.Cwd(), "/elsewhere/"; got != want {
		t.Errorf("working directory: got %q, want %q", got, want)
	}
}

func TestNames(t *testing.T) {
	tab := New(Config{Root: root(t)})
	for _, row := range []struct{ got, want string }{
		{tab.User(0), "root"}, {tab.User(33), "www-data"}, {tab.User(7), ""}, {tab.User(1), ""},
		{tab.Group(0), "root"}, {tab.Group(33), "webs"}, {tab.Group(1), ""},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
	// Naming a thread is a reason to look it up, but not to invent it.
	if comm, ok := tab.Thread(11); comm != "helper" || !ok {
		t.Errorf("got %q, %v, want helper", comm, ok)
	}
	for _, tid := range []int64{12, 0, -1, 1 << 40} {
		if comm, ok := tab.Thread(tid); ok {
			t.Errorf("thread %d: got %q, want none", tid, comm)
		}
	}
	if got, want := tab.Stats().Threads, 2; got != want {
		t.Errorf("got %d threads, want %d", got, want)
	}
}

func TestUID(t *testing.T) {
	tab := newTable(false)
	for _, row := range []struct {
		line string
		want uint32
	}{
		{"100 < setuid res=-1", ^uint32(0)},
		{"100 > setuid uid=5", ^uint32(0)},
		{"100 < setuid res=0", 5},
		{"100 > setresuid ruid=1 euid=6 suid=2", 5},
		{"100 < setresuid res=0", 6},
		{"100 < setresuid+ res=0 ruid=1 euid=-1 suid=2", 6},
		{"100 < setreuid@427 res=0 ruid=1 euid=7", 7},
		{"100 < execve+ res=0 comm=x uid=8", 8},
	} {
		apply(t, tab, row.line)
		if got := tab.Current().UID; got != row.want {
			t.Errorf("%s: got user %d, want %d", row.line, got, row.want)
		}
	}
}

// TestReuse is about a number that comes back after its thread's end was lost.
func TestReuse(t *testing.T) {
	tab := newTable(false)
	apply(t, tab,
		"100 < clone res=200 comm=old",
		"200 < clone res=0 comm=old tid=200 pid=200 ptid=100 vtid=200",
		"200 < open fd=3 name=/old")
	if got, want := apply(t, tab, "100 < clone res=200 comm=new", "200 > close fd=3"), "new (200) > close fd=3 "; got != want {
		t.Errorf("parent first: got %q, want %q", got, want)
	}
	apply(t, tab, "200 < clone res=0 comm=new tid=200 pid=200 ptid=100 vtid=200", "200 < open fd=3 name=/new")
	if got, want := apply(t, tab, "200 < clone res=0 comm=newer tid=200 pid=200 ptid=100 vtid=200", "200 > close fd=3"), "newer (200) > close fd=3 "; got != want {
		t.Errorf("child first: got %q, want %q", got, want)
	}
}

// TestSharedFiles is about processes that share descriptors until one executes
// a program.
func TestSharedFiles(t *testing.T) {
	tab := newTable(false)
	apply(t, tab,
		"100 < clone res=200 comm=pp flags=1",
		"200 < open fd=3 name=/both")
	if got, want := apply(t, tab, "100 > close fd=3"), "pp (100) > close fd=3(<f>/both) "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	apply(t, tab,
		"200 < execve res=0 comm=ls pid=200",
		"200 < open fd=4 name=/own")
	if got, want := apply(t, tab, "100 > close fd=4"), "pp (100) > close fd=4 "; got != want {
		t.Errorf("after exec: got %q, want %q", got, want)
	}
	if got, want := apply(t, tab, "200 > close fd=3"), "ls (200) > close fd=3(<f>/both) "; got != want {
		t.Errorf("after exec: got %q, want %q", got, want)
	}
}

func TestBounds(t *testing.T) {
	tab := New(Config{MaxThreads: 3, MaxFDs: 2, MaxAllFDs: 3})
	apply(t, tab, "1 < open fd=3 name=/a", "1 < open fd=4 name=/b", "1 < open fd=5 name=/c")
	apply(t, tab, "1 < open fd=4 name=/d")
	if got, want := apply(t, tab, "1 > close fd=4"), "<NA> (1) > close fd=4(<f>/d) "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := apply(t, tab, "1 > close fd=5"), "<NA> (1) > close fd=5 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	apply(t, tab, "2 < open fd=3 name=/a", "2 < open fd=4 name=/b")
	if s := tab.Stats(); s.Descriptors != 3 || s.DescriptorsLost != 2 {
		t.Errorf("got %d descriptors, %d lost, want 3, 2", s.Descriptors, s.DescriptorsLost)
	}

	apply(t, tab, "3 > getcwd", "4 > getcwd", "1 < clone res=5 comm=x")
	if s := tab.Stats(); s.Threads != 3 || s.ThreadsLost != 2 {
		t.Errorf("got %d threads, %d lost, want 3, 2", s.Threads, s.ThreadsLost)
	}
	if got, want := apply(t, tab, "4 > close fd=3"), "<NA> (4) > close fd=3 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPurge is about a full table with threads that have done nothing for long.
func TestPurge(t *testing.T) {
	tab := New(Config{MaxThreads: 2})
	var e event.Encoder
	var v event.View
	at := func(seconds uint64, tid int64) {
		e.Begin(startTime+seconds*1e9, tid, 60, 0)
		rec, err := e.End()
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		tab.Apply(&v)
		check(t, tab)
	}
	at(0, 1)
	at(100, 2)
	at(301, 3)
	if s := tab.Stats(); s.Threads != 2 || s.Purged != 1 || s.ThreadsLost != 0 {
		t.Errorf("got %d threads, %d purged, %d lost, want 2, 1, 0", s.Threads, s.Purged, s.ThreadsLost)
	}
}

// TestAllocations is about events that are no news.
func TestAllocations(t *testing.T) {
	tab := newTable(false)
	apply(t, tab, "100 < open fd=3 name=/file", "100 < open fd=4 name=/other")
	var e event.Encoder
	for _, lines := range [][]string{
		{"100 > read fd=3 size=80", "100 < read res=3 data=abc"},
		{"100 > write fd=3 size=80", "100 < write res=3 data=abc"},
		{"100 > close fd=99", "100 < close res=-9"},
		{"100 > dup fd=3", "100 < dup res=5", "100 > close fd=5", "100 < close res=0"},
		{"100 > pipe", "100 < pipe res=0 fd1=6 fd2=7", "100 > close fd=6", "100 < close res=0", "100 > close fd=7", "100 < close res=0"},
		{"100 > syscall", "100 < syscall"},
	} {
		var views []*event.View
		for _, line := range lines {
			rec, err := testrecord.Line(&e, startTime, line)
			if err != nil {
				t.Fatal(err)
			}
			v := &event.View{}
			if err := v.Parse(bytes.Clone(rec)); err != nil {
				t.Fatal(err)
			}
			views = append(views, v)
		}
		if n := testing.AllocsPerRun(100, func() {
			for _, v := range views {
				tab.Apply(v)
			}
		}); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", lines[0], n)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	tab := newTable(false)
	views := parsed(b, "100 > read fd=3 size=80", "100 < read res=3 data=abc")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tab.Apply(&views[i&1])
	}
}

// parsed are events in the words of a script.
func parsed(b *testing.B, lines ...string) []event.View {
	b.Helper()
	var e event.Encoder
	views := make([]event.View, len(lines))
	for i, line := range lines {
		rec, err := testrecord.Line(&e, startTime, line)
		if err != nil {
			b.Fatal(err)
		}
		if err := views[i].Parse(bytes.Clone(rec)); err != nil {
			b.Fatal(err)
		}
	}
	return views
}

// BenchmarkProcessEnds has a process begin and end among many others.
func BenchmarkProcessEnds(b *testing.B) {
	tab := newTable(false)
	for tid := range int64(20_000) {
		tab.childOf(tab.add(1000+tid), 1)
	}
	views := parsed(b, "100 < clone res=200 pid=100 tid=100 comm=pp",
		"200 < clone res=0 pid=200 tid=200 ptid=100 comm=pp", "200 > procexit+ reaper_tid=1")
	b.ReportAllocs()
	for b.Loop() {
		for i := range views {
			tab.Apply(&views[i])
		}
	}
}

// TestOpenAgain wants no memory for files that were opened before.
func TestOpenAgain(t *testing.T) {
	tab := New(Config{})
	openat := syscalls.LookupName("openat").Enter[0]
	var views [3]event.View
	for i, rec := range [][]byte{
		testrecord.Make(t, 1, 7, openat, -100, "etc/passwd", 0, 0),
		testrecord.Make(t, 2, 7, openat+1, 3, -100, "etc/passwd", 1, 0, 5, 6),
		testrecord.Make(t, 3, 7, syscalls.LookupName("close").Enter[0]+1, 0),
	} {
		if err := views[i].Parse(rec); err != nil {
			t.Fatal(err)
		}
	}
	again := func() {
		for i := range views {
			tab.Apply(&views[i])
		}
	}
	again()
	if n := testing.AllocsPerRun(100, again); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
	if name, _ := tab.FD(3); name.Name != "etc/passwd" || tab.File(3).Raw != "etc/passwd" || tab.File(3).Dev != 5 {
		t.Errorf("got %v, %v", name, tab.File(3))
	}
}

// TestMissed reads descriptors that are not open: the name goes, but not where the file
// is open for writing only, and not of a capture.
func TestMissed(t *testing.T) {
	openat, read := syscalls.LookupName("openat").Enter[0], syscalls.LookupName("read").Enter[0]
	for _, row := range []struct {
		flags  int
		sysdig bool
		known  bool
	}{{openRead, false, false}, {openRead | openWrite, false, false}, {openWrite, false, true}, {openRead, true, true}} {
		tab := New(Config{Sysdig: row.sysdig})
		var v event.View
		for i, rec := range [][]byte{
			testrecord.Make(t, 1, 7, openat, -100, "/x", row.flags, 0),
			testrecord.Make(t, 2, 7, openat+1, 3, -100, "/x", row.flags, 0, 0, 0),
			testrecord.Make(t, 3, 7, read, 3, 10),
			testrecord.Make(t, 4, 7, read+1, -9, []byte{}),
		} {
			if err := v.Parse(rec); err != nil {
				t.Fatal(err)
			}
			tab.Apply(&v)
			if _, known := tab.FD(3); i == 2 && !known {
				t.Errorf("%+v: not known before", row)
			}
		}
		if _, known := tab.FD(3); known != row.known {
			t.Errorf("%+v: known %t", row, known)
		}
	}
}
