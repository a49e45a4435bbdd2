package kmod

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/kernelsrc"
)

// double is a test double of the kernel module: no kernel is in it. Its devices
// behave as those of the module do (driver/main.c of each version), as far as a
// consumer can tell.
type double struct {
	t           *testing.T
	api, schema Version
	size        int
	online      []bool
	consumers   int // of others
	tids        map[int]bool
	opened      map[int]*doubleDevice
}

const doubleConsumers = 5

func newDouble(t *testing.T, api, schema Version, cpus int) *double {
	d := &double{t: t, api: api, schema: schema, size: 64 << 10, tids: map[int]bool{}, opened: map[int]*doubleDevice{}}
	for range cpus {
		d.online = append(d.online, true)
	}
	return d
}

// root makes the files that a consumer looks at, below a directory.
func (d *double) root(name string) string {
	dir := d.t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	write("sys/devices/system/cpu/possible", fmt.Sprintf("0-%d\n", len(d.online)-1))
	if d.api >= kernelsrc.MakeVersion(2, 0, 0) {
		write("sys/module/"+name+"/parameters/g_buffer_bytes_dim", strconv.Itoa(d.size)+"\n")
	}
	for cpu := range d.online {
		write("dev/"+name+strconv.Itoa(cpu), "")
	}
	return dir
}

func (d *double) open(path string) (device, error) {
	cpu := int(path[len(path)-1] - '0')
	fail := func(err error) (device, error) { return nil, &fs.PathError{Op: "open", Path: path, Err: err} }
	switch {
	case !d.online[cpu]:
		return fail(unix.ENODEV)
	case d.consumers >= doubleConsumers, d.opened[cpu] != nil:
		return fail(unix.EBUSY)
	}
	d.tids[unix.Gettid()] = true
	size := d.size
	if d.api < kernelsrc.MakeVersion(2, 0, 0) {
		size = fixedSize
	}
	dev := &doubleDevice{d: d, cpu: cpu, size: size, page: make([]byte, os.Getpagesize()), recording: false}
	fd, err := unix.MemfdCreate("ring", unix.MFD_CLOEXEC)
	if err != nil {
		d.t.Fatal(err)
	}
	dev.fd = fd
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		d.t.Fatal(err)
	}
	dev.tracepoints, dev.calls = 0, map[uint]bool{}
	for nr := range uint(maxCall) {
		dev.calls[nr] = d.api.Major() == 3
	}
	d.opened[cpu] = dev
	return dev, nil
}

type doubleDevice struct {
	d           *double
	cpu, fd     int
	size        int
	page        []byte
	recording   bool
	tracepoints uint
	calls       map[uint]bool
	events      map[uint]bool // taken away
	snaplen     uint
	ratio       uint
}

func (f *doubleDevice) ioctl(request, arg uint) (int, error) {
	major := f.d.api.Major()
	in := func(first, last uint64) bool { return major >= first && major <= last }
	switch {
	case request == reqStop && in(1, 2):
		f.recording = false
	case request == reqStart && in(1, 2):
		f.recording = true
	case request == reqSnaplen && arg <= maxSnaplen:
		f.snaplen = arg
	case request == reqDropOn && arg&(arg-1) == 0 && arg <= 128:
		f.ratio = arg
	case request == reqUnsetEvent && in(1, 2):
		if f.events == nil {
			f.events = map[uint]bool{}
		}
		f.events[arg] = true
	case request == reqTracepoints && in(2, 3):
		f.tracepoints = arg
	case request == reqCall && in(3, 99) && arg < maxCall:
		f.calls[arg] = true
	case request == reqNoCall && in(3, 99) && arg < maxCall:
		f.calls[arg] = false
	case request == reqTracepointOn && in(4, 99) && arg < numTracepoints:
		f.tracepoints |= 1 << arg
	case request == reqTracepoint0 && in(4, 99) && arg < numTracepoints:
		f.tracepoints &^= 1 << arg
	default:
		return 0, unix.ENOTTY
	}
	return 0, nil
}

func (f *doubleDevice) version(request uint) (Version, error) {
	if request == reqAPI {
		return f.d.api, nil
	}
	return f.d.schema, nil
}

// mapPage gives a page that unix.Munmap takes, so one of a mapping.
func (f *doubleDevice) mapPage() ([]byte, error) {
	b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	f.page = b
	return b, err
}

func (f *doubleDevice) mapRing(size int) ([]byte, error) {
	if size != f.size {
		return nil, unix.EIO
	}
	b, err := unix.Mmap(-1, 0, 2*size, unix.PROT_NONE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	for half := range 2 {
		at := unsafe.Pointer(&b[half*size])
		if _, err := unix.MmapPtr(f.fd, 0, at, uintptr(size), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (f *doubleDevice) close() error {
	delete(f.d.opened, f.cpu)
	return unix.Close(f.fd)
}

func (f *doubleDevice) word(off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&f.page[off]))
}

func (f *doubleDevice) count(off int, n uint64) {
	binary.NativeEndian.PutUint64(f.page[off:], binary.NativeEndian.Uint64(f.page[off:])+n)
}

// write writes a record if there is room, as the module does.
func (f *doubleDevice) write(rec []byte) {
	f.count(offEvts, 1)
	head, tail := int(f.word(offHead).Load()), int(f.word(offTail).Load())
	used := head - tail
	if used < 0 {
		used += f.size
	}
	if used+len(rec) > f.size-1 {
		f.count(offFull, 1)
		return
	}
	for i, b := range rec {
		if _, err := unix.Pwrite(f.fd, []byte{b}, int64((head+i)%f.size)); err != nil {
			f.d.t.Fatal(err)
		}
	}
	f.word(offHead).Store(uint32((head + len(rec)) % f.size))
}
