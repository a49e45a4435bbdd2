package seccomp

import (
	"errors"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKernel has the kernel take a filter, of which a traced call without a
// tracer fails with ENOSYS.
func TestKernel(t *testing.T) {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	calls := []uint32{unix.SYS_GETPPID, unix.SYS_GETPRIORITY, unix.SYS_SCHED_GETSCHEDULER}
	for nr := uint32(700); nr < 1500; nr += 2 { // numbers of nobody, to need long jumps
		calls = append(calls, nr)
	}
	const bit = 8 // of an argument that getpgid does not have
	masks := []Mask{{Call: unix.SYS_GETPGID, Argument: 1, Bits: bit}}
	f := mustAssemble(t, []Set{{Arch: arch, Calls: calls, Masks: masks}, {Arch: unix.AUDIT_ARCH_I386, Calls: calls}})

	type outcome struct {
		install error
		errnos  map[uintptr]unix.Errno
		masked  unix.Errno
	}
	done := make(chan outcome)
	go func() {
		// The thread ends with the goroutine, and the filter with it.
		runtime.LockOSThread()
		out := outcome{install: install(f), errnos: map[uintptr]unix.Errno{}}
		if out.install == nil {
			for _, nr := range []uintptr{unix.SYS_GETPPID, unix.SYS_GETPRIORITY, unix.SYS_SCHED_GETSCHEDULER, unix.SYS_GETUID, unix.SYS_GETPGID, unix.SYS_UNAME} {
				_, _, out.errnos[nr] = unix.RawSyscall(nr, 0, 0, 0)
			}
		}
		if out.install == nil {
			_, _, out.masked = unix.RawSyscall(unix.SYS_GETPGID, 0, bit, 0)
		}
		done <- out
	}()
	out := <-done
	if errors.Is(out.install, unix.ENOSYS) || errors.Is(out.install, unix.EPERM) {
		t.Skipf("seccomp filters are not allowed here: %v", out.install)
	}
	if out.install != nil {
		t.Fatal(out.install)
	}
	if out.masked != unix.ENOSYS {
		t.Errorf("a call with a masked argument: got errno %d, want %d", out.masked, unix.ENOSYS)
	}
	for nr, want := range map[uintptr]unix.Errno{
		unix.SYS_GETPPID: unix.ENOSYS, unix.SYS_GETPRIORITY: unix.ENOSYS, unix.SYS_SCHED_GETSCHEDULER: unix.ENOSYS,
		unix.SYS_GETUID: 0, unix.SYS_GETPGID: 0, unix.SYS_UNAME: unix.EFAULT,
	} {
		if got := out.errnos[nr]; got != want {
			t.Errorf("call %d: got errno %d, want %d", nr, got, want)
		}
	}
}

// install filters the calling thread.
func install(f []unix.SockFilter) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}
