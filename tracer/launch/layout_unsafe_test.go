package launch

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestLayout holds the table in the comment of memory, and the sizes from which
// the addresses of entries are made, to what the compiler has laid out.
func TestLayout(t *testing.T) {
	var m memory
	var e entry
	for _, row := range []struct {
		name      string
		got, want uintptr
	}{
		{"memory", unsafe.Sizeof(m), regionSize},
		{"gate", unsafe.Offsetof(m.gate), 0},
		{"ready", unsafe.Offsetof(m.ready), 4},
		{"resumed", unsafe.Offsetof(m.resumed), 8},
		{"stderr", unsafe.Offsetof(m.stderr), 12},
		{"stack", unsafe.Offsetof(m.stack), 16},
		{"pid", unsafe.Offsetof(m.pid), 24},
		{"tracer", unsafe.Offsetof(m.tracer), 32},
		{"tick", unsafe.Offsetof(m.tick), 40},
		{"script", unsafe.Offsetof(m.script), headerSize},
		{"data", unsafe.Offsetof(m.data), 5688},
		{"data size", unsafe.Sizeof(m.data), 59848},
		{"entry", unsafe.Sizeof(e), entrySize},
		{"nr", unsafe.Offsetof(e.nr), 0},
		{"args", unsafe.Offsetof(e.args), 8},
		{"dst", unsafe.Offsetof(e.dst), 56},
		{"ok", unsafe.Offsetof(e.ok), 64},
		{"bad", unsafe.Offsetof(e.bad), 72},
		{"res", unsafe.Offsetof(e.res), 80},
		{"msghdr name", unsafe.Offsetof(unix.Msghdr{}.Name), msgName},
		{"msghdr namelen", unsafe.Offsetof(unix.Msghdr{}.Namelen), msgNameLen},
		{"msghdr iov", unsafe.Offsetof(unix.Msghdr{}.Iov), msgIov},
		{"msghdr iovlen", unsafe.Offsetof(unix.Msghdr{}.Iovlen), msgIovLen},
		{"msghdr control", unsafe.Offsetof(unix.Msghdr{}.Control), msgControl},
		{"msghdr controllen", unsafe.Offsetof(unix.Msghdr{}.Controllen), msgControlLen},
		{"msghdr", unsafe.Sizeof(unix.Msghdr{}), msgSize},
		{"cmsghdr level", unsafe.Offsetof(unix.Cmsghdr{}.Level), cmsgLevel},
		{"cmsghdr type", unsafe.Offsetof(unix.Cmsghdr{}.Type), cmsgType},
		{"cmsghdr", uintptr(unix.CmsgLen(0)), cmsgData},
		{"cmsg", uintptr(unix.CmsgSpace(4)), cmsgSize},
		{"iovec", unsafe.Sizeof(unix.Iovec{}), 16},
		{"sock_fprog filter", unsafe.Offsetof(unix.SockFprog{}.Filter), 8},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %d, want %d", row.name, row.got, row.want)
		}
	}
}

// TestPlanTooLarge fills a region that nobody shares.
func TestPlanTooLarge(t *testing.T) {
	stack := []uint64{3, 0, 0, 0, 0, 0}
	load := func(closeFDs, instructions int) error {
		m := &memory{stack: &stack[0]}
		o := &Original{mem: m, args: []string{"pdig", "--", "true"}, script: script{mem: m}, listener: listener{socket: -1}}
		err := o.Load(Plan{
			Target:   Target{paths: []string{"/bin/true"}},
			Command:  2,
			Filter:   make([]unix.SockFilter, instructions),
			Listener: true,
			CloseFDs: make([]int, closeFDs),
		})
		if o.listener.socket >= 0 {
			unix.Close(o.listener.socket)
		}
		return err
	}
	if err := load(40, 4096); err != nil {
		t.Errorf("40 descriptors and the largest filter: %v", err)
	}
	if err := load(60, 1); err == nil {
		t.Error("60 descriptors fit")
	}
	if err := load(0, 8000); err == nil {
		t.Error("a filter of 64000 bytes fits")
	}
}
