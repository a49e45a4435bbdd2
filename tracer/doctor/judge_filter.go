package doctor

import "golang.org/x/sys/unix"

// filter is whether only those calls stop that are recorded.
func (f *Facts) filter() Check {
	const name = "filter"
	slow := check(name, Reduced, "works, slower: there is no filter, so a command stops at every call")
	came, what := f.FilterNNP, "seccomp(SECCOMP_SET_MODE_FILTER) with no_new_privs"
	if came.OK() {
		came, what = f.FilterStop, "a call that a filter traces"
	}
	switch {
	case came.OK() && f.EntryBefore:
		return slow.because("stop-order", "a call stops for its tracer after it has stopped for its filter: gVisor, or before Linux 4.8").
			but("nothing has to be done, but not with --seccomp always")
	case came.OK():
		return ok(name, "only recorded calls stop a command")
	case came == Untried:
		return slow.because("ptrace", "not tried: see ptrace").but("see ptrace")
	case f.FilterNNP.OK():
		return slow.because("filter-stop", what+": "+came.String()).but("this kernel, or sandbox, does not stop calls for a tracer: use --seccomp never")
	case came == outcome(unix.ENOSYS), came == outcome(unix.EINVAL):
		return slow.because("no-seccomp", what+": "+came.String()).
			but("a kernel with CONFIG_SECCOMP_FILTER, or a seccomp profile that permits seccomp", noProfile()...)
	}
	return slow.because("seccomp-refused", what+": "+came.String()).
		but("a seccomp profile refuses further filters: use one that permits seccomp", noProfile()...)
}

// setuid is whether programs take the rights of their owner. The kernel gives them
// none if the tracer may not trace them afterwards (security/commoncap.c,
// cap_bprm_creds_from_file), or with no_new_privs.
func (f *Facts) setuid() Check {
	const name = "setuid"
	less := check(name, Reduced, "set-user-id programs (sudo, su, ping) run without the rights of their owner")
	switch {
	case f.NoNewPrivs:
		return ok(name, "no_new_privs was set before: programs get no further rights, with pdig or without")
	case !f.capable(unix.CAP_SYS_PTRACE):
		return less.because("no-cap-sys-ptrace", "no CAP_SYS_PTRACE: the kernel gives no rights to who is traced without it").
			but("add CAP_SYS_PTRACE, and use --seccomp never where CAP_SYS_ADMIN is missing", addPtrace(f)...)
	case f.FilterNNP.OK() && !f.Filter.OK():
		return less.because("no-new-privs", "seccomp without no_new_privs: "+f.Filter.String()).
			but("--seccomp never, which is slower, or add CAP_SYS_ADMIN", addAdmin(f)...)
	}
	return ok(name, "set-user-id programs keep the rights of their owner")
}

// listener is what keeps a command from answering its own calls unseen.
func (f *Facts) listener() Check {
	const name = "listener"
	hides := check(name, Reduced, "a command can hide calls from pdig by a filter that asks another process (user notification)")
	switch {
	case f.Listener.OK():
		return ok(name, "no filter of a command can hide calls from pdig")
	case f.Listener == Untried:
		return hides.because("filter", "not tried: see filter").but("see filter")
	case f.Listener == outcome(unix.EBUSY):
		return hides.because("listener-taken", "SECCOMP_FILTER_FLAG_NEW_LISTENER: "+f.Listener.String()).
			but("a process above listens already (an engine or supervisor): that one sees such calls; nothing is to be done")
	case f.Listener == outcome(unix.EINVAL):
		return check(name, OK, "there are no filters that ask another process, which could hide calls (before Linux 5.0, gVisor)")
	}
	return hides.because("listener-refused", "SECCOMP_FILTER_FLAG_NEW_LISTENER: "+f.Listener.String()).
		but("a seccomp profile that permits seccomp", noProfile()...)
}

// callInfo is how the tracer learns what a thread is stopped in.
func (f *Facts) callInfo() Check {
	const name = "call-info"
	switch {
	case f.CallInfo.OK():
		return ok(name, "the kernel tells what a thread is stopped in")
	case f.CallInfo == Untried:
		return check(name, Reduced, "not tried").because("ptrace", "not tried: see ptrace").but("see ptrace")
	case f.CallInfo == outcome(unix.EIO):
		return check(name, Reduced, "works, slower: what a thread is stopped in is put together from its registers").
			because("no-call-info", "PTRACE_GET_SYSCALL_INFO: "+f.CallInfo.String()).
			but("Linux 5.3 or newer; gVisor has none")
	}
	return check(name, Reduced, "works, slower: what a thread is stopped in is put together from its registers").
		because("call-info-refused", "PTRACE_GET_SYSCALL_INFO: "+f.CallInfo.String()).
		but("a seccomp profile that permits all of ptrace", noProfile()...)
}
