// Command odd makes an odd process of itself, as its options say, and executes
// the rest of its arguments. Options begin with a plus sign.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	args := os.Args[1:]
	for ; strings.HasPrefix(args[0], "+"); args = args[1:] {
		name, value, _ := strings.Cut(args[0][1:], "=")
		n, _ := strconv.Atoi(value)
		if err := apply(name, value, n); err != nil {
			fmt.Fprintf(os.Stderr, "odd: %s: %v\n", name, err)
			os.Exit(99)
		}
	}
	fmt.Fprintln(os.Stderr, "odd:", syscall.Exec(args[0], args, os.Environ()))
	os.Exit(99)
}

func apply(name, value string, n int) error {
	switch name {
	case "ignore":
		signal.Ignore(syscall.Signal(n))
		return nil
	case "block":
		return block(n)
	case "pending": // blocked too, or it would not stay
		if err := block(n); err != nil {
			return err
		}
		return unix.Tgkill(os.Getpid(), unix.Gettid(), syscall.Signal(n))
	case "nofile":
		return syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(n), Max: 1000})
	case "core":
		return syscall.Setrlimit(unix.RLIMIT_CORE, &syscall.Rlimit{Cur: uint64(n), Max: uint64(n)})
	case "pdeathsig":
		return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(n), 0, 0, 0)
	case "umask":
		unix.Umask(n)
		return nil
	case "alarm":
		_, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: int64(n)}})
		return err
	case "lock":
		fd, err := unix.Open(value, unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		return unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	case "refuse":
		return refuse(value)
	}
	return fmt.Errorf("unknown option")
}

func block(sig int) error {
	var set unix.Sigset_t
	set.Val[0] = 1 << (sig - 1)
	return unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
}

// refuse makes one system call fail with EPERM: that with the given number if
// the given argument (from 0) has the given value.
func refuse(rule string) error {
	var nr, arg, value uint32
	if _, err := fmt.Sscanf(rule, "%d,%d,%d", &nr, &arg, &value); err != nil {
		return err
	}
	const load, equal = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	f := []unix.SockFilter{
		{Code: load},
		{Code: equal, K: nr, Jf: 3},
		{Code: load, K: 16 + 8*arg},
		{Code: equal, K: value, Jf: 1},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return filter(unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]})
}
