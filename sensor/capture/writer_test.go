package capture

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// entries are one of each kind, and more descriptors.
func entries() []Entry {
	return []Entry{
		&Machine{CPUs: 2, Memory: 3, MaxPID: 4, Host: "host", Boot: 5, More: [3]uint64{6, 7, 8}},
		&Interface{Name: "lo", Addr: netip.MustParseAddr("127.0.0.1"), Mask: netip.MustParseAddr("255.0.0.0"), Broadcast: netip.MustParseAddr("127.255.255.255"), Speed: 9},
		&Interface{Name: "e6", Addr: netip.MustParseAddr("fe80::1"), Mask: netip.MustParseAddr("ffff::"), Broadcast: netip.MustParseAddr("::")},
		&User{UID: 0, GID: 0, Name: "root", Home: "/root", Shell: "/bin/sh"},
		&Group{GID: 50, Name: "staff"},
		&Process{TID: 100, PID: 100, PTID: 1, SID: 90, VPGID: 91, Comm: "pp", Exe: "pp", ExePath: "/bin/pp",
			Args: "-a\x00", Cwd: "/srv", FDLimit: 1024, Flags: 5, UID: 6, GID: 7, VMSize: 10, VMRSS: 11, VMSwap: 12,
			MajorFaults: 13, MinFaults: 14, Env: "A=b\x00", VTID: 2, VPID: 3, Cgroups: "cpu=/\x00", Root: "/root",
			LoginUID: 8, ExeWritable: true, CapInheritable: 1, CapPermitted: 2, CapEffective: 3, PGID: -1},
		&Process{TID: 101, PID: 100, Comm: "thread", LoginUID: 8, PGID: -1},
		&FD{TID: 100, Number: 0, Ino: 1, Type: FDFile, Name: "/a"},
		&FD{TID: 100, Number: 1, Type: FDFile2, Name: "/a", Flags: 1, Dev: 2},
		&FD{TID: 100, Number: 2, Type: FDIPv4, Source: addr("1.2.3.4:5"), Dest: addr("6.7.8.9:10"), L4: L4TCP},
		&FD{TID: 100, Number: 3, Type: FDIPv6, Source: addr("[fe80::1]:5"), Dest: addr("[fe80::2]:10"), L4: L4UDP},
		&FD{TID: 100, Number: 4, Type: FDIPv4Listen, Source: addr("0.0.0.0:80"), L4: L4TCP},
		&FD{TID: 100, Number: 5, Type: FDIPv6Listen, Source: addr("[::]:80"), L4: L4TCP},
		&FD{TID: 100, Number: 6, Type: FDUnix, Sockets: [2]uint64{7, 8}, Name: "/s"},
		&FD{TID: 101, Number: 7, Type: FDFifo, Name: "pipe:[1]"},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, pack := range []bool{false, true} {
		var b bytes.Buffer
		w := NewWriter(&b, pack)
		want := []string{line(&Section{})}
		for _, e := range entries() {
			w.Add(e)
			want = append(want, line(e))
		}
		large := rec("/x")
		large = append(large, make([]byte, 1<<17)...) // behind the parameters
		copy(large[offLen:], u32(len(large)))
		for _, r := range [][]byte{rec("/x"), large} {
			for _, hidden := range []bool{false, true} {
				if err := w.Event(7, hidden, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Add(&Section{})
		w.Add(entries()[3])
		if err := w.Event(8, false, rec("/y")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if int(w.Size()) != b.Len() {
			t.Errorf("pack %t: size is %d, want %d", pack, w.Size(), b.Len())
		}
		const x = ` chdir "\x00\x00\x00\x00\x00\x00\x00\x00" "/x\x00"`
		want = append(want, "event 7 false"+x, "event 7 true"+x, "event 7 false"+x, "event 7 true"+x,
			line(&Section{}), line(entries()[3]), strings.Replace("event 8 false"+x, "/x", "/y", 1))
		got, err := read(&b)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("pack %t: %v (-want +got)\n%s", pack, err, diff)
		}
	}
}

// TestLongLists writes more than fits a block that is split.
func TestLongLists(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, false)
	long := strings.Repeat("x", 70000)
	const n = 3000
	for i := range n {
		w.Add(&User{UID: uint32(i), Name: long})
	}
	for i := range n {
		w.Add(&Process{TID: int64(i), Comm: long, Args: long})
	}
	for i := range n {
		w.Add(&FD{TID: 1, Number: int64(i), Type: FDFile, Name: long})
	}
	if err := w.Event(0, false, rec("/")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	users, processes, fds := 0, 0, 0
	r := NewReader(&b, "test", func(e Entry) {
		switch e := e.(type) {
		case *User:
			users++
		case *Process:
			processes++
			if len(e.Comm) != maxName || len(e.Args) != maxText {
				t.Errorf("comm has %d bytes, args %d", len(e.Comm), len(e.Args))
			}
		case *FD:
			fds++
		}
	})
	if _, err := r.Next(); err != nil || users != n || processes != n || fds != n {
		t.Errorf("got %d users, %d processes, %d descriptors, %v, want %d of each", users, processes, fds, err, n)
	}
}

// TestInterrupted wants a file to be whole whenever its writer is killed.
func TestInterrupted(t *testing.T) {
	for _, pack := range []bool{false, true} {
		var b bytes.Buffer
		w := NewWriter(&b, pack)
		for i := range 10000 {
			if err := w.Event(0, false, rec("/x")); err != nil {
				t.Fatal(err)
			}
			if i%3000 == 2999 {
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				got, err := read(bytes.NewReader(b.Bytes()))
				// A packed file lacks its end then.
				if len(got) != i+2 || err != nil && !(pack && errors.Is(err, ErrCut)) {
					t.Errorf("pack %t: got %d lines, %v, want %d", pack, len(got), err, i+2)
				}
			}
		}
	}
	var whole wholeBlocks
	w := NewWriter(&whole, false)
	for range 10000 {
		if err := w.Event(0, false, rec("/x")); err != nil {
			t.Fatal(err)
		}
	}
	if whole.n < 2 {
		t.Errorf("%d writes, want several", whole.n)
	}
	for _, err := range whole.errs {
		t.Error(err)
	}
}

// wholeBlocks reads what was written after every write.
type wholeBlocks struct {
	bytes.Buffer
	n    int
	errs []error
}

func (w *wholeBlocks) Write(b []byte) (int, error) {
	w.n++
	w.Buffer.Write(b)
	if _, err := read(bytes.NewReader(w.Bytes())); err != nil {
		w.errs = append(w.errs, err)
	}
	return len(b), nil
}

type broken struct{ left int }

var errFull = errors.New("full")

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteError(t *testing.T) {
	for _, pack := range []bool{false, true} {
		w := NewWriter(&broken{}, pack)
		var err error
		for range 100000 {
			if err = w.Event(0, false, rec("/x")); err != nil {
				break
			}
		}
		if err == nil {
			err = w.Flush()
		}
		if !errors.Is(err, errFull) || !errors.Is(w.Event(0, false, rec("/")), errFull) || !errors.Is(w.Close(), errFull) {
			t.Errorf("pack %t: got %v, want %v, and again", pack, err, errFull)
		}
	}
}

// put has a recorder keep an event.
func put(f interface {
	Begin(now uint64, rec []byte) error
	Event(cpu uint16, hidden bool, rec []byte) error
}, now uint64, cpu uint16, hidden bool, rec []byte) error {
	if err := f.Begin(now, rec); err != nil {
		return err
	}
	return f.Event(cpu, hidden, rec)
}

func TestFiles(t *testing.T) {
	const size = 280 // four events and what stands before them are more
	for name, row := range map[string]struct {
		cfg  FilesConfig
		want map[string]int // events in a file
	}{
		"one":           {FilesConfig{Path: "f"}, map[string]int{"f": 10}},
		"size":          {FilesConfig{Path: "f", Size: size}, map[string]int{"f0": 4, "f1": 4, "f2": 2}},
		"time":          {FilesConfig{Path: "f", Every: 4 * time.Second}, map[string]int{"f0": 4, "f1": 4, "f2": 2}},
		"kept":          {FilesConfig{Path: "f", Every: 3 * time.Second, Keep: 2}, map[string]int{"f0": 3, "f1": 1}},
		"both":          {FilesConfig{Path: "f", Every: 9 * time.Second, Size: size, Keep: 12}, map[string]int{"f0": 4, "f1": 4, "f2": 2}},
		"named by time": {FilesConfig{Path: "f%Y%%%S%q", Every: 4 * time.Second, Keep: 2}, map[string]int{"f2023%24%q": 4, "f2023%28%q": 2}},
		"read":          {FilesConfig{Path: "f%Y%S", Every: 4 * time.Second, Source: "-"}, map[string]int{"f202320": 4, "f202324": 4, "f202328": 2}},
		"same name":     {FilesConfig{Path: "f%q", Every: 4 * time.Second}, map[string]int{"f%q": 4, "f%q.1": 4, "f%q.2": 2}},
	} {
		dir := t.TempDir()
		cfg := row.cfg
		cfg.Path = filepath.Join(dir, cfg.Path)
		begun := 0
		cfg.Begin = func(_ []byte, add func(Entry)) {
			begun++
			add(entries()[3])
		}
		f, err := Create(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := put(f, 1700000000e9+uint64(i)*1e9, 0, false, rec("/")); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		names, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			b, err := os.ReadFile(filepath.Join(dir, n.Name()))
			if err != nil {
				t.Fatal(err)
			}
			lines, err := read(bytes.NewReader(b))
			if err != nil || len(lines) < 2 || lines[1] != line(entries()[3]) {
				t.Errorf("%s: %s: %v, %q", name, n.Name(), err, lines)
			}
			got[n.Name()] = len(lines) - 2
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestFilesGivenEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, err := Create(FilesConfig{Path: path, Begin: func([]byte, func(Entry)) { t.Error("asked for what was given") }})
	if err != nil {
		t.Fatal(err)
	}
	f.Add(entries()[3])
	if err := put(f, 1, 0, false, rec("/")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(FilesConfig{Path: "/proc/self/nosuch/f"}); err == nil {
		t.Error("created a file in no directory")
	}
}

// TestFilesFlush: flushes have pauses between them, but not for who waits for one.
func TestFilesFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, err := Create(FilesConfig{Path: path, Begin: func([]byte, func(Entry)) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, row := range []struct {
		now  bool
		want int // events in the file
	}{{false, 1}, {false, 1}, {true, 3}, {true, 4}} {
		if err := errors.Join(put(f, uint64(i+1), 0, false, rec("/")), f.Flush(row.now)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if lines, err := read(bytes.NewReader(b)); err != nil || len(lines)-1 != row.want {
			t.Errorf("%d: got %d events, %v, want %d", i, len(lines)-1, err, row.want)
		}
	}
}

func TestWriteAllocations(t *testing.T) {
	w := NewWriter(io.Discard, false)
	r := rec("/srv/data")
	if n := testing.AllocsPerRun(10000, func() {
		if err := w.Event(0, false, r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations per event, want 0", n)
	}
	if w.Size() > math.MaxInt32 {
		t.Error("grew beyond measure")
	}
}

func BenchmarkEvent(b *testing.B) {
	for name, pack := range map[string]bool{"plain": false, "packed": true} {
		b.Run(name, func(b *testing.B) {
			w := NewWriter(io.Discard, pack)
			r := rec("/srv/data")
			b.ReportAllocs()
			b.SetBytes(int64(len(r)))
			for b.Loop() {
				if err := w.Event(0, false, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
