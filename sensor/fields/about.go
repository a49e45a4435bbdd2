package fields

import (
	"strconv"
	"strings"

	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/sensor/state"
)

// aboutFields are what is known of the process besides names and numbers.
var aboutFields = []Field{
	{Name: "proc.duration", Type: filter.Uint, Desc: "nanoseconds since the process was started", get: since(self)},
	{Name: "proc.ppid.duration", Type: filter.Uint, Desc: "nanoseconds since its parent was started", get: since((*Event).parent)},
	{Name: "proc.pid.ts", Type: filter.Uint, Desc: "when the process was started, in nanoseconds since the Unix epoch", get: started(self)},
	{Name: "proc.ppid.ts", Type: filter.Uint, Desc: "when its parent was started", get: started((*Event).parent)},
	{Name: "proc.is_exe_writable", Type: filter.Bool, Desc: "the user who has started the program can write its file", get: exeFlag(state.ExeWritable)},
	{Name: "proc.is_exe_upper_layer", Type: filter.Bool, Desc: "the program's file is in the upper layer of an overlay file system", get: exeFlag(state.ExeUpperLayer)},
	{Name: "proc.is_exe_lower_layer", Type: filter.Bool, Desc: "the program's file is in a lower layer", get: exeFlag(state.ExeLowerLayer)},
	{Name: "proc.is_exe_from_memfd", Type: filter.Bool, Desc: "the program's file is in memory only", get: exeFlag(state.ExeMemFD)},
	{Name: "proc.exe_ino", Type: filter.Int, Desc: "inode of the program's file", get: exeFact(func(_ *state.Thread, p *state.Program) uint64 { return p.Ino })},
	{Name: "proc.exe_ino.ctime", Type: filter.Uint, Desc: "when that inode was changed, in nanoseconds since the Unix epoch", get: exeFact(func(_ *state.Thread, p *state.Program) uint64 { return p.Ctime })},
	{Name: "proc.exe_ino.mtime", Type: filter.Uint, Desc: "when the file was written", get: exeFact(func(_ *state.Thread, p *state.Program) uint64 { return p.Mtime })},
	{Name: "proc.exe_ino.ctime_duration_proc_start", Type: filter.Uint, Desc: "nanoseconds from proc.exe_ino.ctime to the start of the process", get: exeFact(ctimeToStart)},
	{Name: "proc.exe_ino.ctime_duration_pidns_start", Type: filter.Uint, Desc: "nanoseconds from proc.exe_ino.ctime to the start of the pid namespace", get: exeFact(ctimeToNamespace)},
	{Name: "proc.pidns_init_start_ts", Type: filter.Uint, Desc: "when the process's pid namespace began, in nanoseconds since the Unix epoch", get: startOfNamespace},
	{Name: "proc.fdlimit", Type: filter.Int, Desc: "how many descriptors the process may open, -1 if not known", get: number(func(th *state.Thread) int64 { return th.FDLimit })},
	{Name: "proc.fdusage", Type: filter.Float, Desc: "how many percent of them are open", get: procFDUsage},
	{Name: "proc.vmsize", Type: filter.Uint, Desc: "virtual memory of the process, in KiB", get: ofProcess(func(th *state.Thread) uint64 { return uint64(th.VMSize) })},
	{Name: "proc.vmrss", Type: filter.Uint, Desc: "resident memory of the process, in KiB", get: ofProcess(func(th *state.Thread) uint64 { return uint64(th.VMRSS) })},
	{Name: "proc.vmswap", Type: filter.Uint, Desc: "swapped memory of the process, in KiB", get: ofProcess(func(th *state.Thread) uint64 { return uint64(th.VMSwap) })},
	{Name: "thread.vmsize", Type: filter.Uint, Desc: "proc.vmsize of the first thread, 0 of others", get: ofFirst(func(th *state.Thread) uint32 { return th.VMSize })},
	{Name: "thread.vmrss", Type: filter.Uint, Desc: "proc.vmrss of the first thread, 0 of others", get: ofFirst(func(th *state.Thread) uint32 { return th.VMRSS })},
	{Name: "thread.pfmajor", Type: filter.Uint, Desc: "page faults for which something had to be read", get: amount(func(th *state.Thread) uint64 { return th.MajorFaults })},
	{Name: "thread.pfminor", Type: filter.Uint, Desc: "other page faults", get: amount(func(th *state.Thread) uint64 { return th.MinFaults })},
	{Name: "thread.nametid", Type: filter.String, Desc: "name and number of the thread", get: threadNameTID},
	{Name: "thread.cap_permitted", Type: filter.String, Desc: "capabilities that the thread may use, joined by blanks", get: capabilities(func(th *state.Thread) uint64 { return th.CapPermitted })},
	{Name: "thread.cap_inheritable", Type: filter.String, Desc: "capabilities that a program it executes may have", get: capabilities(func(th *state.Thread) uint64 { return th.CapInheritable })},
	{Name: "thread.cap_effective", Type: filter.String, Desc: "capabilities that it uses", get: capabilities(func(th *state.Thread) uint64 { return th.CapEffective })},
	{Name: "thread.cgroups", Type: filter.String, Desc: "cgroups of the thread, each as subsystem=path, joined by blanks", get: threadCgroups},
	{Name: "thread.cgroup", Type: filter.String, Desc: "path of one of them: thread.cgroup.cpuset", get: threadCgroup, arg: suffixArg},
}

func self(e *Event) *state.Thread { return e.State.Current() }

func (e *Event) parent() *state.Thread { return e.State.Parent(e.State.Current()) }

func since(of func(*Event) *state.Thread) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		th := of(e)
		if th == nil || th.Started == 0 {
			return false
		}
		v.Uint(e.View.Time() - min(th.Started, e.View.Time()))
		return true
	}
}

func started(of func(*Event) *state.Thread) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		th := of(e)
		if th == nil {
			return false
		}
		v.Uint(th.Started)
		return th.Started != 0
	}
}

func exeFlag(bit uint32) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		v.Bool(e.State.Current().Program.Flags&bit != 0)
		return true
	}
}

func exeFact(of func(*state.Thread, *state.Program) uint64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		th := e.State.Current()
		n := of(th, th.Program)
		v.Uint(n)
		return n != 0 || !e.newest()
	}
}

func ctimeToStart(th *state.Thread, p *state.Program) uint64 { return between(p.Ctime, th.Started) }

func ctimeToNamespace(th *state.Thread, p *state.Program) uint64 {
	return between(p.Ctime, th.PIDNSStart)
}

// between is the time from one moment to a later one, 0 if the first is not known.
func between(from, to uint64) uint64 {
	if from == 0 {
		return 0
	}
	return to - min(from, to)
}

func startOfNamespace(e *Event, _ *argument, v *filter.Values) bool {
	start := e.State.Current().PIDNSStart
	v.Uint(start)
	return start != 0
}

func amount(of func(*state.Thread) uint64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		v.Uint(of(e.State.Current()))
		return true
	}
}

// ofProcess is what a process has, in one of its threads.
func ofProcess(of func(*state.Thread) uint64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		th := e.State.Memory(e.State.Current())
		if th != nil {
			v.Uint(of(th))
		}
		return th != nil
	}
}

func ofFirst(of func(*state.Thread) uint32) getter {
	return amount(func(th *state.Thread) uint64 {
		if th.TID != th.PID {
			return 0
		}
		return uint64(of(th))
	})
}

func procFDUsage(e *Event, _ *argument, v *filter.Values) bool {
	th := e.State.Current()
	usage := 0.0
	if th.FDLimit > 0 {
		usage = 100 * float64(th.NumFDs()) / float64(th.FDLimit)
	}
	v.Float(usage)
	return true
}

func threadNameTID(e *Event, _ *argument, v *filter.Values) bool {
	th := e.State.Current()
	e.buf = strconv.AppendInt(append(e.buf[:0], th.Comm...), th.TID, 10)
	v.Copy(e.buf)
	return true
}

func threadCgroups(e *Event, _ *argument, v *filter.Values) bool {
	groups := e.State.Current().Cgroups
	return groups != "" && e.words(groups, v)
}

func threadCgroup(e *Event, a *argument, v *filter.Values) bool {
	for rest := e.State.Current().Cgroups; rest != ""; {
		var group string
		group, rest, _ = strings.Cut(rest, "\x00")
		if name, path, ok := strings.Cut(group, "="); ok && name == a.text {
			v.Str(path)
			return true
		}
	}
	return false
}

// capabilities are the names of the bits of a set.
func capabilities(of func(*state.Thread) uint64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		e.buf = e.buf[:0]
		set := of(e.State.Current())
		for bit, name := range capNames {
			if set>>bit&1 == 0 {
				continue
			}
			if len(e.buf) > 0 {
				e.buf = append(e.buf, ' ')
			}
			e.buf = append(append(e.buf, "CAP_"...), name...)
		}
		v.Copy(e.buf)
		return true
	}
}

// capNames are the capabilities by their bits (include/uapi/linux/capability.h).
var capNames = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// sourceFields are where an event is from.
var sourceFields = []Field{
	{Name: "evt.is_syslog", Type: filter.Bool, Desc: "the call writes to the system log", get: truth(isSyslog)},
	{Name: "evt.source", Type: filter.String, Desc: "syscall", get: func(_ *Event, _ *argument, v *filter.Values) bool { v.Str("syscall"); return true }},
	{Name: "evt.is_async", Type: filter.Bool, Desc: "the event is no system call but what somebody has told", get: truth(isAsync)},
	{Name: "evt.asynctype", Type: filter.String, Desc: "what kind of such", get: evtAsyncType},
	{Name: "evt.hostname", Type: filter.String, Desc: "name of the machine", get: evtHost},
}

func truth(of func(*Event) bool) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		v.Bool(of(e))
		return true
	}
}

func isAsync(e *Event) bool { return e.View.Info().Enum == asyncEvent }

const asyncEvent = "ASYNCEVENT_E"

func evtAsyncType(e *Event, _ *argument, v *filter.Values) bool {
	if !isAsync(e) {
		return false
	}
	v.Borrow(e.View.Str(e.paramNamed("name")))
	return true
}

func evtHost(e *Event, _ *argument, v *filter.Values) bool {
	host := e.State.Host()
	v.Str(host)
	return host != ""
}
