// Command probe prints what a process can see of itself, for each word of its
// first argument.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	for what := range strings.SplitSeq(os.Args[1], ",") {
		switch what {
		case "ids":
			sid, _ := unix.Getsid(0)
			fmt.Println("pid", os.Getpid(), "ppid", os.Getppid(), "pgid", unix.Getpgrp(), "sid", sid)
		case "args":
			b, err := os.ReadFile("/proc/self/cmdline")
			fmt.Printf("args %q %v\n", b, err)
		case "env":
			b, err := os.ReadFile("/proc/self/environ")
			fmt.Printf("env %q %v\n", b, err)
		case "fds":
			fds()
		case "pdeathsig":
			sig, err := pdeathsig()
			fmt.Println("pdeathsig", sig, err)
		case "wait":
			wait()
		case "listen":
			fmt.Println("listen", listen())
		default:
			fmt.Println("unknown", what)
			os.Exit(99)
		}
	}
}

// fds lists the descriptors that came through the exec.
func fds() {
	for fd := range 100 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		position, _ := unix.Seek(fd, 0, unix.SEEK_CUR)
		fmt.Println("fd", fd, name, "at", position)
	}
}

// wait waits for children until there are none.
func wait() {
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(-1, &ws, 0, nil)
		if err != nil {
			fmt.Println("wait", err)
			return
		}
		fmt.Println("wait", "status", ws.ExitStatus())
	}
}
