package tracer

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// guarded maps n pages with an unreadable one behind them.
func guarded(t *testing.T, n int) []byte {
	t.Helper()
	size := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, (n+1)*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	if err := unmap(b[n*size:]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return b[:n*size]
}

func TestAppendString(t *testing.T) {
	page := os.Getpagesize()
	mem := guarded(t, 2)
	readers := map[string]*memory{
		"mem file":         {pid: os.Getpid()},
		"process_vm_readv": {pid: os.Getpid(), tried: true},
	}
	for _, tt := range []struct {
		name   string
		at     int // offset of the string
		text   string
		noNUL  bool
		limit  int
		want   string
		wantOK bool
	}{
		{"short", 10, "hello", false, maxPath, "hello", true},
		{"empty", 10, "", false, maxPath, "", true},
		{"ends with the memory", 2*page - 6, "hello", false, maxPath, "hello", true},
		{"over the page", page - 3, "hello", false, maxPath, "hello", true},
		{"cut", 0, "hello world", false, 5, "hello", true},
		{"runs out of the memory", 2*page - 5, "hello", true, maxPath, "hello", true},
		{"long", 0, strings.Repeat("x", 5000), false, 4095, strings.Repeat("x", 4095), true},
	} {
		clear(mem)
		copy(mem[tt.at:], tt.text)
		for name, m := range readers {
			got, ok := m.appendString([]byte("a"), address(mem[tt.at:]), tt.limit)
			if string(got) != "a"+tt.want || ok != tt.wantOK {
				t.Errorf("%s by %s: %q, %v, want %q, %v", tt.name, name, got, ok, "a"+tt.want, tt.wantOK)
			}
		}
	}
	for name, m := range readers {
		for _, addr := range []uint64{0, 1, 1 << 63, ^uint64(0), address(mem) + uint64(len(mem))} {
			if got, ok := m.appendString(nil, addr, 100); ok || len(got) != 0 {
				t.Errorf("%#x by %s: %q, %v, want nothing", addr, name, got, ok)
			}
		}
		m.close()
	}
}

func TestReadAcrossUnreadable(t *testing.T) {
	mem := guarded(t, 1)
	m := memory{pid: os.Getpid()}
	defer m.close()
	mem[len(mem)-1] = 7
	buf := make([]byte, 10)
	if n := m.read(buf, address(mem[len(mem)-1:])); n != 1 || buf[0] != 7 {
		t.Errorf("read %d bytes, %v, want the one that is there", n, buf)
	}
	if m.full(buf, address(mem[len(mem)-1:])) {
		t.Error("a part counts as all")
	}
}

func FuzzProcFiles(f *testing.F) {
	for _, name := range []string{"status", "stat"} {
		b, err := os.ReadFile("/proc/self/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("Uid:\nTgid:\t\nNSpid: -1 x 99999999999999999999\n"))
	f.Add([]byte("1 (a) b) R 1 2"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s procStatus
		s.parse(b)
		_ = s.vpid()
		for n := range 60 {
			_, fields := splitStat(b)
			statField(fields, n)
		}
	})
}

// TestUnknownUser looks at a process that is not there: its user is not root.
func TestUnknownUser(t *testing.T) {
	p := process{pid: 1 << 30}
	im := p.readImage(new(procBuffer), nil)
	if im.uid != nobody || im.gid != nobody || im.loginuid != nobody {
		t.Errorf("user %d, group %d, login %d, want %d", im.uid, im.gid, im.loginuid, nobody)
	}
	if im.capEff != 0 {
		t.Errorf("capabilities %#x, want none", im.capEff)
	}
}

func TestStatWithHostileName(t *testing.T) {
	comm, f := splitStat([]byte("7 (x) R 9 (y)\n) S 1 5 6 34816 7 0 33"))
	if string(comm) != "x) R 9 (y)\n" {
		t.Errorf("name %q", comm)
	}
	if got := statField(f, 4); got != 1 {
		t.Errorf("parent %d, want 1", got)
	}
	if got := statField(f, 7); got != 34816 {
		t.Errorf("tty %d, want 34816", got)
	}
}
