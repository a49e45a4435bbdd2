package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// SockName is getsockname: the local address of a socket as the kernel has it,
// in buf, or nil.
func SockName(fd int, buf []byte) []byte { return socketAddress(unix.SYS_GETSOCKNAME, fd, buf) }

// PeerName is getpeername: the remote address of a socket as the kernel has
// it, in buf, or nil.
func PeerName(fd int, buf []byte) []byte { return socketAddress(unix.SYS_GETPEERNAME, fd, buf) }

// Destination is where a socket of the internet is connected to, was, or is about to be: of
// a connection that was not answered yet, was refused, or is over, getpeername does not tell it,
// SO_PEERNAME does (net/ipv4/af_inet.c, inet_getname with a peer of 2). It fills buf, which may
// not be longer than the address; nil if there is none.
func Destination(fd int, buf []byte) []byte {
	size := uint32(len(buf))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERNAME,
		uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || int(size) != len(buf) {
		return nil
	}
	return buf
}

func socketAddress(call uintptr, fd int, buf []byte) []byte {
	size := uint32(len(buf))
	// Not raw: it waits for the lock of the socket (net/ipv4/af_inet.c, inet_getname).
	_, _, errno := unix.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return nil
	}
	return buf[:min(int(size), len(buf))]
}
