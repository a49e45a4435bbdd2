package doctor

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// shapeVersion is that of the JSON.
const shapeVersion = 1

// Judge makes a report of facts. It looks at nothing else.
func Judge(f *Facts) Report {
	r := Report{
		Version: shapeVersion, Kernel: f.Kernel, Machine: f.Machine, Container: f.Container, UID: f.UID,
		Checks: []Check{
			f.launch(), f.kernel(), f.entry(),
			f.ptrace(), f.attach(), f.attachOthers(),
			f.filter(), f.setuid(), f.listener(),
			f.callInfo(), f.memory(), f.descriptors(), f.proc(),
			f.ring(), f.reader(), f.limits(),
		},
	}
	r.Launch = true
	for _, c := range r.Checks {
		switch c.Name {
		case "launch", "ptrace", "ring":
			r.Launch = r.Launch && c.State != Missing
		case "attach":
			r.Attach = c.State != Missing
		}
	}
	r.Attach = r.Attach && f.RingErr == nil
	return r
}

// capable reports whether the process has a capability.
func (f *Facts) capable(number int) bool { return f.Caps>>number&1 != 0 }

// launch is a command from its start to its end.
func (f *Facts) launch() Check {
	const name = "launch"
	l := &f.Launched
	switch {
	case f.TracedBy != "": // what the doctor launches itself may be free of that
		return check(name, Missing, "no command can be run").
			because("traced-already", "traced by "+f.TracedBy).
			but("end that tracer, or start pdig outside of it: a process has one tracer")
	case l.Status == 0 && l.Records > 0:
		return ok(name, "a command runs and is recorded")
	case l.Status == 0:
		return check(name, Missing, "a command runs, but is not recorded").
			because("not-recorded", "0 records over a ring of its own").
			but("the reasons are below; if there are none, please report this")
	}
	return check(name, Missing, "no command can be run").
		because("launch-fails", fmt.Sprintf("a command ended with status %d", l.Status), l.Words).
		but("see what is missing below")
}

// oldest is the first kernel that pdig is meant for.
var oldest = [2]int{4, 14}

func (f *Facts) kernel() Check {
	const name = "kernel"
	var v [2]int
	_, err := fmt.Sscanf(f.Kernel, "%d.%d", &v[0], &v[1])
	old := err == nil && (v[0] < oldest[0] || v[0] == oldest[0] && v[1] < oldest[1])
	switch {
	case f.EntryBefore && f.Container != "gvisor": // which is known, see filter
		return check(name, Missing, "calls stop in an order that pdig does not know").
			because("old-kernel", "a call stops for its tracer after it has stopped for its filter: before Linux 4.8", "Linux "+f.Kernel).
			but("Linux 4.14 or newer")
	case f.Container == "gvisor": // whose number says nothing
		return ok(name, "gVisor")
	case old:
		return check(name, Reduced, "Linux "+f.Kernel+" is older than what pdig is tested with").
			because("old-kernel", "Linux "+f.Kernel).
			but("Linux 4.14 or newer, or trust the other checks")
	}
	return ok(name, "Linux "+f.Kernel+", "+f.Machine)
}

func (f *Facts) entry() Check {
	const name = "entry"
	if f.OwnEntry {
		return ok(name, "pdig begins at its own entry")
	}
	return check(name, Reduced, "pdig executes a copy of itself first: ignored and blocked signals get lost for the command, and it takes longer").
		because("no-entry", "/proc/self/exe is in memory").
		but("build it with -ldflags '-E _pdig_start', as make does")
}

// ptrace is tracing children, which is all that a launch needs.
func (f *Facts) ptrace() Check {
	const name = "ptrace"
	for _, try := range []struct {
		what string
		came Outcome
	}{
		{"PTRACE_TRACEME", f.Child}, {"PTRACE_SEIZE of a child", f.Seize},
		{"PTRACE_SETOPTIONS", f.Options}, {"PTRACE_INTERRUPT", f.Stop},
	} {
		if try.came.Failed() {
			return f.refused(check(name, Missing, "children cannot be traced"), try.what, try.came)
		}
	}
	return ok(name, "children can be traced")
}

// refused finds the rule that keeps somebody from tracing anybody.
func (f *Facts) refused(c Check, what string, came Outcome) Check {
	c.Evidence = append(c.Evidence, what+": "+came.String())
	switch {
	case f.TracedBy != "":
		return c.because("traced-already", "traced by "+f.TracedBy).
			but("end that tracer, or start pdig outside of it: a process has one tracer")
	case f.Yama >= 3:
		return c.because("yama-nobody", fmt.Sprintf("kernel.yama.ptrace_scope is %d", f.Yama)).
			but("Yama lets nobody trace, and cannot be changed before the next boot: set kernel.yama.ptrace_scope=1 there")
	case f.Yama == 2 && !f.capable(unix.CAP_SYS_PTRACE):
		return c.because("yama-admin", "kernel.yama.ptrace_scope is 2", "no CAP_SYS_PTRACE").
			but("Yama lets only those with CAP_SYS_PTRACE trace: add it, or sysctl kernel.yama.ptrace_scope=1 on the host", addPtrace(f)...)
	case f.DenyPtrace:
		return c.because("selinux-deny-ptrace", "deny_ptrace of SELinux is on", "label "+f.Label).
			but("setsebool deny_ptrace off, on the host")
	case f.Filtered && !f.capable(unix.CAP_SYS_PTRACE):
		return c.because("seccomp-profile", "the process has a seccomp filter", "no CAP_SYS_PTRACE").
			but("a seccomp profile refuses ptrace (so does that of containerd before 1.6.1): add CAP_SYS_PTRACE, for which default profiles make an exception, or take the profile away",
				append(addPtrace(f), noProfile()...)...)
	case f.Filtered:
		return c.because("seccomp-profile", "the process has a seccomp filter").
			but("a seccomp profile refuses ptrace: use one that does not", noProfile()...)
	case came == outcome(unix.ENOSYS):
		return c.because("no-ptrace", "no seccomp filter").but("this kernel, or sandbox, has no ptrace: pdig cannot work here")
	case f.confined():
		return c.because("apparmor", "label "+f.Label).
			but("the AppArmor profile lacks a rule for ptrace: add one (ptrace (trace,read) peer=@{profile_name},) or take the profile away",
				lines("--security-opt apparmor=unconfined", "securityContext: {appArmorProfile: {type: Unconfined}}", "")...)
	}
	return c.because("unknown").but("a security module refuses it without a word: ask its log")
}

// confined reports whether there is a profile of AppArmor.
func (f *Facts) confined() bool {
	return strings.HasSuffix(f.Label, "(enforce)")
}

// attach is tracing a process of the same user that is no child.
func (f *Facts) attach() Check {
	const name, what = "attach", "PTRACE_SEIZE of another process of the user"
	switch {
	case f.Sibling.OK():
		return ok(name, "processes of the same user can be attached to")
	case !f.Seize.OK(), !f.Sibling.Failed():
		return check(name, Missing, "nobody can be attached to").because("ptrace", what+": "+f.Sibling.String()).but("see ptrace")
	}
	c := check(name, Missing, "only children can be traced: -p and -P do not work")
	if f.Yama == 1 && !f.capable(unix.CAP_SYS_PTRACE) {
		return c.because("yama-ancestors", what+": "+f.Sibling.String(), "kernel.yama.ptrace_scope is 1", "no CAP_SYS_PTRACE").
			but("Yama lets only ancestors trace: run the program with pdig, add CAP_SYS_PTRACE, or sysctl kernel.yama.ptrace_scope=0 on the host", addPtrace(f)...)
	}
	if f.Container == "gvisor" {
		return c.because("sandbox", what+": "+f.Sibling.String(), "gVisor").
			but("gVisor lets only ancestors trace: run the program with pdig, or add CAP_SYS_PTRACE", addPtrace(f)...)
	}
	return f.refused(c, what, f.Sibling)
}

// attachOthers is tracing processes of other users, and those that hide from their
// own: servers that have given up rights.
func (f *Facts) attachOthers() Check {
	const name, what = "attach-others", "PTRACE_SEIZE of a process that is not dumpable"
	switch {
	case f.Hidden.OK() && f.UserNS:
		return check(name, Reduced, "processes of other users and set-user-id programs can be attached to within this user namespace").
			because("user-namespace", "/proc/self/uid_map is not that of the host").
			but("for processes outside of it pdig has to run outside of it")
	case f.Hidden.OK():
		return ok(name, "processes of other users can be attached to")
	case !f.Seize.OK(), !f.Hidden.Failed():
		return check(name, Missing, "nobody can be attached to").because("ptrace", what+": "+f.Hidden.String()).but("see ptrace")
	}
	c := check(name, Reduced, "processes of other users, or with more rights, cannot be attached to, and of a command that changes its user less can be read")
	if !f.capable(unix.CAP_SYS_PTRACE) {
		return c.because("no-cap-sys-ptrace", what+": "+f.Hidden.String(), "no CAP_SYS_PTRACE").
			but("add CAP_SYS_PTRACE", addPtrace(f)...)
	}
	return f.refused(c, what, f.Hidden)
}
