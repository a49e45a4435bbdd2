// Command gonet connects to itself from many goroutines and prints what it saw
// of each connection, one fact a line, for the tests that start it.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	var wg sync.WaitGroup
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			fail(err)
		}
		for range 5 {
			wg.Go(func() { dial(l.Addr()) })
			wg.Go(func() { accept(l) })
		}
		wg.Wait()
		l.Close()
	}
	fmt.Printf("exit\t%d\t0\n", os.Getpid())
}

// dial connects with calls of its own on one thread, so that it is known who
// has called.
func dial(to net.Addr) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tcp := to.(*net.TCPAddr)
	family := syscall.AF_INET6
	if tcp.IP.To4() != nil {
		family = syscall.AF_INET
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		fail(err)
	}
	var sa syscall.Sockaddr = &syscall.SockaddrInet6{Port: tcp.Port, Addr: [16]byte(tcp.IP.To16())}
	if family == syscall.AF_INET {
		sa = &syscall.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}
	}
	if err := syscall.Connect(fd, sa); err != syscall.EINPROGRESS {
		fail(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	c, err := net.FileConn(f)
	if err != nil {
		fail(err)
	}
	f.Close() // c has a copy
	defer c.Close()
	half("connect", fmt.Sprintf("res=-115(EINPROGRESS) tuple=%s->%s ", text(c.LocalAddr()), text(c.RemoteAddr())))
	if _, err := c.Write([]byte("hello")); err != nil {
		fail(err)
	}
}

func accept(l net.Listener) {
	c, err := l.Accept()
	if err != nil {
		fail(err)
	}
	defer c.Close()
	if _, err := io.ReadAll(c); err != nil {
		fail(err)
	}
}

func text(a net.Addr) string {
	tcp := a.(*net.TCPAddr)
	return fmt.Sprintf("%s:%d", tcp.IP, tcp.Port)
}

func half(typ, beginning string) {
	fmt.Printf("half\t%d\t%d\t%s\t%s\n", os.Getpid(), syscall.Gettid(), typ, beginning)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
