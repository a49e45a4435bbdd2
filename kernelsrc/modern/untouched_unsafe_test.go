package modern

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// untouched is a page with the string that is in a file: memory that nobody has touched.
func untouched(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// executeUntouched executes the program whose path is in a file.
func executeUntouched(name string) error {
	page, err := untouched(name)
	if err != nil {
		return err
	}
	none := new(uintptr)
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(&page[0])), uintptr(unsafe.Pointer(none)), 0)
	return errno
}

// openUntouched opens the pipe whose path is in a file, which waits for a writer. By
// then another path stands there.
func openUntouched(name, pipe, other string) error {
	page, err := untouched(name)
	if err != nil {
		return err
	}
	first := uintptr(unsafe.Pointer(unsafe.SliceData(page)))
	runtime.LockOSThread()
	waits := "/proc/self/task/" + strconv.Itoa(unix.Gettid()) + "/syscall"
	go func() {
		number := strconv.Itoa(unix.SYS_OPENAT) + " "
		for { // until the kernel has the path, and the thread sleeps
			if is, err := os.ReadFile(waits); err != nil || strings.HasPrefix(string(is), number) {
				break
			}
		}
		copy(page, other+"\x00")
		if f, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			f.Close()
		}
	}()
	at := unix.AT_FDCWD
	_, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(at), first, unix.O_RDONLY, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
