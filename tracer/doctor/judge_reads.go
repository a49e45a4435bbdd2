package doctor

import "golang.org/x/sys/unix"

// memory is how arguments are read.
func (f *Facts) memory() Check {
	const name = "memory"
	readv, file, peek := "process_vm_readv: "+f.ReadV.String(), "/proc/PID/mem: "+f.MemoryFile.String(), "PTRACE_PEEKDATA: "+f.Peek.String()
	switch {
	case f.ReadV == Untried:
		return check(name, Missing, "not tried").because("ptrace", "not tried: see ptrace").but("see ptrace")
	case f.MemoryFile.OK() && f.ReadV.OK():
		return ok(name, "arguments are read by process_vm_readv and /proc/PID/mem")
	case f.MemoryFile.OK():
		c := check(name, Reduced, "works, slower: arguments are read by /proc/PID/mem alone").because("readv-refused", readv)
		if f.ReadV == outcome(unix.ENOSYS) {
			c.Cause = "no-readv"
		}
		return c.but("a seccomp profile that permits process_vm_readv (Docker since 23, containerd since 1.7), or CAP_SYS_PTRACE", addPtrace(f)...)
	case f.ReadV.OK():
		return check(name, Reduced, "arguments are read by process_vm_readv alone: of a program that drops its user names are not read").
			because("no-memory-file", file).but("see proc")
	case f.Peek.OK():
		return check(name, Reduced, "works, slower: arguments are read word by word").
			because("words-only", readv, file).
			but("mount /proc, or add CAP_SYS_PTRACE", addPtrace(f)...)
	}
	return check(name, Missing, "names and addresses cannot be read: records have <NA> in their place").
		because("no-memory", readv, file, peek).
		but("a security module or a seccomp profile refuses it: take it away", noProfile()...)
}

// descriptors is how the kernel is asked about sockets.
func (f *Facts) descriptors() Check {
	const name = "sockets"
	less := check(name, Reduced, "the ends of sockets are looked up in /proc, without the port that the kernel chooses for a TCP listener")
	switch {
	case f.PidfdGetfd.OK():
		return ok(name, "both ends of a connection are asked of the kernel")
	case f.PidfdGetfd == outcome(unix.EMFILE), f.PidfdOpen == outcome(unix.EMFILE):
		return less.because("limits", "pidfd_getfd: "+f.PidfdGetfd.String()).but("see limits")
	case f.PidfdOpen.Failed():
		return less.because("no-pidfd", "pidfd_open: "+f.PidfdOpen.String()).
			but("Linux 5.6 or newer, and a seccomp profile that permits pidfd_open and pidfd_getfd", noProfile()...)
	case !f.PidfdGetfd.Failed():
		return less.because("ptrace", "not tried: see ptrace").but("see ptrace")
	case f.PidfdGetfd == outcome(unix.ENOSYS):
		return less.because("no-pidfd-getfd", "pidfd_getfd: "+f.PidfdGetfd.String()).
			but("Linux 5.6 or newer, and a seccomp profile that permits pidfd_getfd", noProfile()...)
	}
	return less.because("pidfd-getfd-refused", "pidfd_getfd: "+f.PidfdGetfd.String()).
		but("the default profiles of Docker and containerd refuse it without CAP_SYS_PTRACE: add that, or another profile", append(addPtrace(f), noProfile()...)...)
}

// proc is where processes are described.
func (f *Facts) proc() Check {
	const name = "proc"
	switch {
	case !f.Mounted:
		return check(name, Reduced, "there is no /proc: names, users and groups of processes are not known, and nobody can be attached to").
			because("no-proc", "no /proc/self").
			but("mount -t proc proc /proc")
	case f.Foreign && f.Replace:
		return check(name, OK, "/proc is that of another pid namespace; pdig uses one of its own")
	case f.Foreign:
		return check(name, Reduced, "/proc is that of another pid namespace: names, users and groups of processes are not known, and nobody can be attached to").
			because("proc-foreign", "/proc/self is not this process").
			but("start it with unshare --pid --fork --mount-proc, or add CAP_SYS_ADMIN", addAdmin(f)...)
	case f.Hides:
		return check(name, Reduced, "/proc hides the processes of others: they cannot be attached to").
			because("proc-hidepid", "process 1 is there, and /proc does not show it").
			but("mount /proc without hidepid, or add CAP_SYS_PTRACE", addPtrace(f)...)
	}
	return ok(name, "/proc is that of this pid namespace")
}
