package state

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/sensor/capture"
)

// TestLookedUp wants of a process that ran before what its own events would have told.
func TestLookedUp(t *testing.T) {
	own, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	sid, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		t.Fatal(err)
	}
	tab := New(Config{Root: "/"})
	tab.Restore(&capture.Machine{Boot: uint64(time.Now().UnixNano() - up.Nano())})
	th := tab.Lookup(int64(os.Getpid()))
	if th == nil {
		t.Fatal("this process is not known")
	}
	env := string(own)
	if th.Program.Env != env[:min(len(env), maxText)] {
		t.Errorf("environment: got %q, want %q", th.Program.Env, env)
	}
	if th.SID != int64(sid) || th.PGID != int64(unix.Getpgrp()) || th.FDLimit != int64(limit.Cur) {
		t.Errorf("session %d, group %d, limit %d, want %d, %d, %d", th.SID, th.PGID, th.FDLimit, sid, unix.Getpgrp(), limit.Cur)
	}
	if th.VMSize < th.VMRSS || th.VMRSS == 0 || th.MinFaults == 0 || th.VPID == 0 || th.VTID == 0 {
		t.Errorf("memory %d, %d, faults %d, pid %d, tid %d", th.VMSize, th.VMRSS, th.MinFaults, th.VPID, th.VTID)
	}
	if !strings.Contains(th.Cgroups, "memory=/") {
		t.Errorf("cgroups %q", th.Cgroups)
	}
	if age := time.Since(time.Unix(0, int64(th.Started))); age < -time.Second || age > 24*time.Hour {
		t.Errorf("started %v ago", age)
	}
}

// TestForgedSocket: a unix socket whose name makes a line of the list in /proc for another
// socket does not make that one of them.
func TestForgedSocket(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	forger, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(forger)
	var st unix.Stat_t
	err = errors.Join(unix.Fstat(fd, &st), unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		unix.Bind(forger, &unix.SockaddrUnix{Name: fmt.Sprintf("@forged\n0: 2 0 0 1 1 %d /forged", st.Ino)}))
	if err != nil {
		t.Fatal(err)
	}
	tab := New(Config{Root: "/"})
	th := tab.Lookup(int64(os.Getpid()))
	tab.adopt(th)
	if d := th.files.fds[int64(fd)]; d.Letter != '4' {
		t.Errorf("the socket is %c %s", d.Letter, d.Name)
	}
	if d := th.files.fds[int64(forger)]; d.Letter != 'u' {
		t.Errorf("the unix socket is %c %s", d.Letter, d.Name)
	}
}
