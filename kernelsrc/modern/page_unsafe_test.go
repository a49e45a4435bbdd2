package modern

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callUntouched makes calls whose names are at the begin of a file. Each of them is in memory
// only once the kernel has looked at it for the call.
func callUntouched(file string) error {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	into, err := unix.MemfdCreate("written", 0)
	if err != nil {
		return err
	}
	page := func() uintptr {
		b, mmapErr := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
		err = errors.Join(err, mmapErr)
		return uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	}
	const here = ^uintptr(99) // AT_FDCWD
	for _, call := range []func(name uintptr){
		func(name uintptr) { unix.RawSyscall6(unix.SYS_OPENAT, here, name, unix.O_PATH, 0, 0, 0) },
		func(name uintptr) { unix.RawSyscall(unix.SYS_MKDIRAT, here, name, 0o700) },
		func(name uintptr) { unix.RawSyscall(unix.SYS_UNLINKAT, here, name, 0) },
		func(name uintptr) { unix.RawSyscall(unix.SYS_SYMLINKAT, name, here, name) },
		func(name uintptr) { unix.RawSyscall6(unix.SYS_RENAMEAT2, here, name, here, name, 0, 0) },
		func(name uintptr) { unix.RawSyscall(unix.SYS_CHDIR, name, 0, 0) },
		func(name uintptr) { unix.RawSyscall(unix.SYS_EXECVE, name, 0, 0) },
		func(name uintptr) { unix.RawSyscall(unix.SYS_MEMFD_CREATE, name, 0, 0) },
		func(name uintptr) { unix.RawSyscall(unix.SYS_WRITE, uintptr(into), name, 8) },
	} {
		call(page())
	}
	return err
}

// TestUntouched: a name is told though its page is not in memory yet when a call begins.
func TestUntouched(t *testing.T) {
	const name = "/nowhere/name"
	file := filepath.Join(t.TempDir(), "page")
	if err := os.WriteFile(file, append([]byte(name), make([]byte, os.Getpagesize())...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := open(t, Config{RingSize: 8 << 20, CPUsPerRing: 1, Snaplen: 80, Family: true})
	t.Setenv(pageVariable, file)
	self, err := exec.LookPath(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	all := events(t, p, cmd.Process.Pid, 0) // the calls may be those of any thread
	for _, call := range []string{"openat", "mkdirat", "unlinkat", "symlinkat", "renameat2", "chdir", "execve", "memfd_create"} {
		if !has(all, call, true, name+"\x00") {
			t.Errorf("no %s of %s", call, name)
		}
	}
	if !has(all, "write", true, name[:8]) {
		t.Error("no data of write")
	}
	if has(all, "openat", false, name+"\x00") {
		t.Error("the page was in memory, so nothing was tried")
	}
	if t.Failed() {
		t.Logf("%+v", all)
	}
}
