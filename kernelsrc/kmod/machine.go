package kmod

import (
	"os"

	"golang.org/x/sys/unix"
)

// machine is the real kernel.
type machine struct{}

// file is an open device.
type file struct{ fd int }

func (machine) open(path string) (device, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_SYNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return file{fd}, nil
}

func (f file) ioctl(request, arg uint) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), uintptr(request), uintptr(arg))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (f file) version(request uint) (Version, error) {
	var v uint64
	err := ioctlPointer(f.fd, request, &v)
	return Version(v), err
}

func (f file) mapPage() ([]byte, error) {
	return unix.Mmap(f.fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (f file) mapRing(size int) ([]byte, error) {
	return unix.Mmap(f.fd, 0, 2*size, unix.PROT_READ, unix.MAP_SHARED)
}

func (f file) close() error { return unix.Close(f.fd) }
