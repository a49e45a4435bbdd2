package sys

import (
	"errors"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestMapping(t *testing.T) {
	if got := unsafe.Sizeof(Mapping{}); got != 104 { // as procmapQuery says
		t.Errorf("%d bytes, want 104", got)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Mprotect(mem[page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	at := uint64(uintptr(unsafe.Pointer(&mem[0])))
	var m Mapping
	if errno := m.Get(int(maps.Fd()), at); errors.Is(errno, unix.ENOTTY) {
		t.Skip("needs PROCMAP_QUERY of Linux 6.11")
	} else if errno != 0 || m.Start > at || m.End != at+uint64(page) || m.Flags&MappingPermissions != 1 {
		t.Errorf("readable: %v, %#x to %#x, flags %#x, want the page at %#x", errno, m.Start, m.End, m.Flags, at)
	}
	if errno := m.Get(int(maps.Fd()), at+uint64(page)); errno != 0 || m.Start != at+uint64(page) || m.Flags&MappingPermissions != 0 {
		t.Errorf("without access: %v, %#x to %#x, flags %#x", errno, m.Start, m.End, m.Flags)
	}
	if errno := m.Get(int(maps.Fd()), 1<<63); errno != unix.ENOENT {
		t.Errorf("behind all: %v, want ENOENT", errno)
	}
}
