package tracer

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// kind is what the tracer itself has to do about a call, besides recording it.
type kind uint8

const (
	kindPlain   kind = iota
	kindRestart      // restart_syscall: goes on with an interrupted call
	kindClone        // the clone family
	kindExec
	kindCreds    // changes who the process is, and so who may look at it
	kindNS       // may change the pid namespace of children
	kindAffinity // sees or sets CPU masks
	kindKill     // may hit the tracer
	kindName     // prctl: may change the name of a process, and who may look at it
	kindMount    // may mount files that a process serves
	kindFaults   // makes a process handle faults of memory
	kindIoctl    // may do the same, and what kindAssail may
	kindWait     // may wait for the tracer
	kindTrace    // may make the process a tracer
	kindAssail   // may take hold of the tracer
	kindSeccomp  // may install a filter that outranks that of the tracer
	kindTable    // may give a thread descriptors of its own
	kindPriority // may change the priority of the tracer
)

// result reports whether the tracer needs the result of a call of kind k.
func (k kind) result() bool {
	switch k {
	case kindPlain, kindAffinity, kindKill, kindMount, kindFaults, kindIoctl, kindWait, kindAssail, kindSeccomp, kindTable:
		return false
	}
	return true
}

var kinds = map[string]kind{
	"restart_syscall":   kindRestart,
	"clone":             kindClone,
	"clone3":            kindClone,
	"fork":              kindClone,
	"vfork":             kindClone,
	"execve":            kindExec,
	"execveat":          kindExec,
	"setuid":            kindCreds,
	"setgid":            kindCreds,
	"setreuid":          kindCreds,
	"setregid":          kindCreds,
	"setresuid":         kindCreds,
	"setresgid":         kindCreds,
	"setuid32":          kindCreds,
	"setgid32":          kindCreds,
	"setreuid32":        kindCreds,
	"setregid32":        kindCreds,
	"setresuid32":       kindCreds,
	"setresgid32":       kindCreds,
	"capset":            kindCreds,
	"setfsuid":          kindCreds,
	"setfsgid":          kindCreds,
	"setfsuid32":        kindCreds,
	"setfsgid32":        kindCreds,
	"sched_getaffinity": kindAffinity,
	"sched_setaffinity": kindAffinity,
	"sched_setattr":     kindAffinity, // SCHED_DEADLINE takes a thread with all CPUs only
	"kill":              kindKill,
	"prctl":             kindName,
	"mount":             kindMount,
	"fsopen":            kindMount,
	"userfaultfd":       kindFaults,
	"ioctl":             kindIoctl,
	"wait4":             kindWait,
	"waitid":            kindWait,
	"waitpid":           kindWait,
	"ptrace":            kindTrace,
	"tkill":             kindAssail,
	"tgkill":            kindAssail,
	"rt_sigqueueinfo":   kindAssail,
	"rt_tgsigqueueinfo": kindAssail,
	"pidfd_send_signal": kindAssail,
	"prlimit64":         kindAssail,
	"process_vm_writev": kindAssail,
	"fcntl":             kindAssail,
	"fcntl64":           kindAssail,
	"seccomp":           kindSeccomp,
	"close_range":       kindTable,
	"unshare":           kindNS, // and as kindTable
	"setns":             kindNS,
	"sched_setparam":    kindAssail,
	"setpriority":       kindPriority,
	"ioprio_set":        kindPriority,

	"sched_setscheduler": kindAssail,
}

// callKind returns what the tracer needs a call for. Calls of another kind
// than kindPlain are stopped at whether they are selected or not, of [someOf]
// only those.
func callKind(name string) kind { return kinds[name] }

// newFaults is the ioctl of /dev/userfaultfd that makes a userfaultfd
// (USERFAULTFD_IOC_NEW, include/uapi/linux/userfaultfd.h).
const newFaults = 0xaa00

// someOf tells by which argument a filter stops at a call of which the tracer does
// not need all: the numbers are to be filled in.
var someOf = map[string][]seccomp.Mask{
	"ioctl":   {{Argument: 1, Bits: newFaults, Exact: true}, {Argument: 1, Bits: fioSetOwner, Exact: true}, {Argument: 1, Bits: siocSetPgrp, Exact: true}},
	"wait4":   {{Argument: 2, Bits: seesClones}},
	"waitpid": {{Argument: 2, Bits: seesClones}},
	"waitid":  {{Argument: 3, Bits: seesClones}},

	"tgkill":            {{Argument: 0, Bits: uint32(os.Getpid()), Exact: true}},
	"rt_tgsigqueueinfo": {{Argument: 0, Bits: uint32(os.Getpid()), Exact: true}},
	"prlimit64":         {{Argument: 0, Bits: ^uint32(0)}}, // not of the caller
	"sched_setparam":    {{Argument: 0, Bits: ^uint32(0)}},
	"fcntl":             {{Argument: 1, Bits: setOwner}}, // which is in setOwnerEx too
	"fcntl64":           {{Argument: 1, Bits: setOwner}},
	"close_range":       {{Argument: 2, Bits: unix.CLOSE_RANGE_UNSHARE}},
	"seccomp":           {{Argument: 1, Bits: unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}},

	"sched_setscheduler": {{Argument: 0, Bits: ^uint32(0)}},
}

// spec is what to do at a call, worked out once for each number and ceiling.
type spec struct {
	index     int    // in syscalls.Calls, -1 for a number without a name
	sc        uint16 // ppm_sc code that the reader knows
	enter     uint16 // the exit code is the next one
	report    bool
	exitOnly  bool // the event has no enter half
	kind      kind
	fold      fold
	widen     widening // nil: the arguments are those of 64-bit programs
	wideTimes bool     // times have 64 bits in a call of 32-bit programs
	shortIDs  bool     // the users or groups that it gives back have 16 bits
	noReturn  bool
	packed    bool // a part of socketcall, which has its arguments in memory
	truth     truthKind
	refused   bool // it fails with ENOSYS
	class     shm.Class
	strings   uint8 // bit N: argument N is a string of one of the halves
	addr      int8  // argument that is a socket address, or -1
	addrLen   uint8 // argument with its length
}

// specs are the calls of all architectures for one ceiling.
type specs struct {
	ceiling int
	table   [syscalls.NumArch][]spec
	parts   [len(parts)][maxParts]spec
	unknown spec // a number without a name
	check   spec // an execveat that executes nothing
}

// newSpecs works out the specs for a reader that knows the codes below
// ceiling.
func newSpecs(sel *Selection, ceiling int) *specs {
	s := &specs{ceiling: ceiling}
	for arch := range syscalls.NumArch {
		s.table[arch] = make([]spec, maxNumber)
		for n := range maxNumber {
			s.table[arch][n] = newSpec(sel, index(arch, n), n, ceiling)
			if arch == syscalls.I386 || arch == syscalls.ARM {
				s.table[arch][n].narrowed()
			}
		}
	}
	s.partSpecs(sel)
	s.unknown = newSpec(sel, -1, maxNumber, ceiling)
	s.check = checkSpec(sel, ceiling)
	return s
}

// atExecveCheck has an execveat tell whether it could execute a file, and do no more
// (AT_EXECVE_CHECK, Linux 6.14; before that the call fails).
const atExecveCheck = 0x10000

// checkSpec is for such a call. It ends as one that has executed a program, so in an
// event of its own a reader would take it for that.
func checkSpec(sel *Selection, ceiling int) spec {
	index := callIndex("execveat")
	return spec{index: index, sc: syscalls.Calls[index].SCKnown(ceiling), enter: syscalls.GenericE, report: sel.calls[index], addr: -1}
}

// checks reports whether a call that spec e describes is one.
func (s *specs) checks(e *spec, args []uint64) bool {
	return e.kind == kindExec && e.index == s.check.index && args[4]&atExecveCheck != 0
}

func (s *specs) lookup(arch syscalls.Arch, n int) *spec {
	if arch < syscalls.NumArch && uint(n) < maxNumber {
		return &s.table[arch][n]
	}
	return &s.unknown
}

func newSpec(sel *Selection, index, n, ceiling int) spec {
	s := spec{index: index, enter: syscalls.GenericE, report: sel.has(index, n), addr: -1}
	if index < 0 {
		return s
	}
	c := &syscalls.Calls[index]
	s.sc = c.SCKnown(ceiling)
	s.kind, s.fold = callKind(c.Name), folds[c.Name]
	if s.fold == foldSockets { // if its arguments cannot be read, it may be any of them
		s.report = s.report || sel.hasPart(c.Name)
	}
	s.truth = truthKinds[c.Name]
	s.refused = sel.refused[index]
	s.noReturn = c.Name == "exit" || c.Name == "exit_group"
	if e, ok := c.Event(ceiling); ok {
		s.enter = e
		s.exitOnly = syscalls.Events[e].Flags&syscalls.Unused != 0
	}
	if s.kind == kindClone || s.kind == kindExec {
		// A reader that misses one of these cannot name anything any more.
		s.report, s.class = true, shm.Vital
	}
	if s.kind == kindRestart {
		s.report = false
	}
	for _, typ := range []uint16{s.enter, s.enter + 1} {
		for _, p := range syscalls.Events[typ].Params {
			switch p.Source.Op {
			case syscalls.OpStr:
				s.strings |= 1 << p.Source.A
			case syscalls.OpSockAddr:
				s.addr, s.addrLen = int8(p.Source.A), p.Source.B
			}
		}
	}
	if s.kind == kindExec {
		s.strings |= 1 << pathArg(s.enter)
	}
	return s
}

// pathArg is the argument with the path of an exec.
func pathArg(enter uint16) int {
	if enter == syscalls.ExecveE {
		return 0
	}
	return 1
}
