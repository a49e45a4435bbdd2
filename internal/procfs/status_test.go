package procfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseStatus(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       Status
		err        error
	}{
		{"thread", "Name:\tworker\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nNgid:\t0\nPid:\t9\nPPid:\t3\nUid:\t0\t1000\t0\t1000\nGid:\t0\t0\t0\t0\n",
			Status{Comm: "worker", PID: 7, PPID: 3, UID: 1000}, nil},
		{"numbers", "Name:\tx\nTgid:\t7\nNStgid:\t7\t1\nNSpid:\t9\t2\nNSpgid:\t5\t0\nVmSize:\t    1234 kB\nVmRSS:\t      12 kB\nVmSwap:\t       3 kB\nCapInh:\t0000000000000001\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000003\n",
			Status{Comm: "x", PID: 7, UID: ^uint32(0), GID: ^uint32(0), VTID: 2, VPID: 1, VMSize: 1234, VMRSS: 12, VMSwap: 3, CapInheritable: 1, CapPermitted: 0x1ffffffffff, CapEffective: 3}, nil},
		{"odd numbers", "Name:\tx\nTgid:\t7\nNSpid:\tx\nVmSize:\t-1 kB\nVmRSS:\t99999999999 kB\nCapEff:\txyz\n", Status{Comm: "x", PID: 7, UID: ^uint32(0), GID: ^uint32(0), VMRSS: 1<<32 - 1}, nil},
		{"escaped", "Name:\ta\\nb\\\\n\nTgid:\t1\n", Status{Comm: "a\nb\\n", PID: 1, UID: ^uint32(0), GID: ^uint32(0)}, nil},
		{"name with a colon", "Name:\tTgid:\t5\nTgid:\t1\n", Status{Comm: "Tgid:\t5", PID: 1, UID: ^uint32(0), GID: ^uint32(0)}, nil},
		{"cut", "Name:\tx\nTgi", Status{}, ErrFormat},
		{"empty", "", Status{}, ErrFormat},
	} {
		got, err := parseStatus([]byte(row.text))
		if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, row.err) {
			t.Errorf("%s: error %v, want %v; (-want +got)\n%s", row.name, err, row.err, diff)
		}
	}
}

func TestReadStatusSelf(t *testing.T) {
	got, err := ReadStatus("/proc", unix.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile("/proc/thread-self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want := Status{Comm: string(comm[:len(comm)-1]), PID: os.Getpid(), PPID: os.Getppid(), UID: uint32(os.Geteuid())}
	if got.VMSize < got.VMRSS || got.VMRSS == 0 || got.VTID == 0 || got.VPID == 0 || got.VPGID < 0 {
		t.Errorf("numbers: %+v", got)
	}
	got = Status{Comm: got.Comm, PID: got.PID, PPID: got.PPID, UID: got.UID, GID: got.GID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := ReadStatus(t.TempDir(), 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: got %v, want %v", err, os.ErrNotExist)
	}
}

func TestReadCwd(t *testing.T) {
	want, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadCwd("/proc", os.Getpid()); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestReadFDs(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(r.Fd()), &st); err != nil {
		t.Fatal(err)
	}

	fds, err := ReadFDs("/proc", os.Getpid(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]FD{}
	for _, fd := range fds {
		got[fd.Number] = fd
	}
	for _, want := range []FD{
		{int(file.Fd()), file.Name(), false},
		{int(d.Fd()), dir, true},
		{int(r.Fd()), fmt.Sprintf("pipe:[%d]", st.Ino), false},
	} {
		if diff := cmp.Diff(want, got[want.Number]); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if fds, err := ReadFDs("/proc", os.Getpid(), 2); err != nil || len(fds) > 2 {
		t.Errorf("limit 2: got %d descriptors, %v", len(fds), err)
	}
}
