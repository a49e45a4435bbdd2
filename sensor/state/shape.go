package state

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// rule is what an event does to the state. It belongs to the system call, not
// to the event code: a call has several codes, of different versions.
type rule uint8

const (
	ruleNone rule = iota
	ruleClone
	ruleExec
	ruleExit
	ruleSetUID
	ruleSetGID
	ruleSetSID
	ruleMemory
	ruleSwitch
	ruleChdir
	ruleFchdir
	ruleOpen
	ruleClose
	ruleDup
	ruleFcntl
	rulePair
	ruleNew
	ruleSocket
	ruleBind
	ruleConnect
	ruleAccept
	ruleSendTo
	ruleSendMsg
	ruleReceive
	ruleGetcwd
	ruleSendMore
	ruleReceiveMore
	ruleBPF
	rulePeople
	ruleIoctl
	ruleCloseRange
	ruleUnshare
	ruleTake
	rulePrctl
)

var rules = map[string]rule{
	"clone": ruleClone, "clone3": ruleClone, "fork": ruleClone, "vfork": ruleClone,
	"execve": ruleExec, "execveat": ruleExec,
	"procexit": ruleExit,
	"setuid":   ruleSetUID, "setreuid": ruleSetUID, "setresuid": ruleSetUID,
	"setgid": ruleSetGID, "setregid": ruleSetGID, "setresgid": ruleSetGID,
	"setsid": ruleSetSID, "switch": ruleSwitch,
	"brk": ruleMemory, "mmap": ruleMemory, "mmap2": ruleMemory, "munmap": ruleMemory,
	"chdir": ruleChdir, "fchdir": ruleFchdir,
	"open": ruleOpen, "openat": ruleOpen, "openat2": ruleOpen, "creat": ruleOpen,
	"open_by_handle_at": ruleOpen,
	"close":             ruleClose,
	"dup":               ruleDup, "dup2": ruleDup, "dup3": ruleDup, "fcntl": ruleFcntl,
	"pipe": rulePair, "pipe2": rulePair, "socketpair": rulePair,
	"socket": ruleSocket, "bind": ruleBind, "connect": ruleConnect,
	"accept": ruleAccept, "accept4": ruleAccept,
	"sendto": ruleSendTo, "sendmsg": ruleSendMsg, "recvfrom": ruleReceive, "recvmsg": ruleReceive,
	"getcwd": ruleGetcwd,
	"send":   ruleSendMore, "sendmmsg": ruleSendMore, "recv": ruleReceiveMore, "recvmmsg": ruleReceiveMore,
	"bpf":       ruleBPF,
	"useradded": rulePeople, "userdeleted": rulePeople, "groupadded": rulePeople, "groupdeleted": rulePeople,
	"ioctl": ruleIoctl, "close_range": ruleCloseRange, "unshare": ruleUnshare,
	"pidfd_getfd": ruleTake, "prctl": rulePrctl,
}

// letters are the kinds of descriptors that a call makes out of nothing.
var letters = map[string]byte{
	"pipe": 'p', "pipe2": 'p', "socketpair": 'u',
	"eventfd": 'e', "eventfd2": 'e',
	"signalfd": 's', "signalfd4": 's',
	"timerfd_create": 't',
	"inotify_init":   'i', "inotify_init1": 'i',
	"epoll_create": 'l', "epoll_create1": 'l',
	"io_uring_setup": 'r',
	"bpf":            'b',
	"memfd_create":   'm',
	"pidfd_open":     'P',
	"userfaultfd":    event.UserFault,
}

// field is a parameter that rules ask for.
type field uint8

const (
	fieldAddr field = iota
	fieldArg
	fieldArg2
	fieldArgs
	fieldCapEffective
	fieldCapInheritable
	fieldCapPermitted
	fieldCgroups
	fieldCmd
	fieldComm
	fieldCreatFlags
	fieldDirfd
	fieldDomain
	fieldEGID
	fieldDev
	fieldEnv
	fieldEUID
	fieldExe
	fieldExeCtime
	fieldExeIno
	fieldExeMtime
	fieldExePath
	fieldFD
	fieldFD1
	fieldFD2
	fieldFDLimit
	fieldFirst
	fieldFlags
	fieldGID
	fieldIno
	fieldLast
	fieldLoginUID
	fieldMajorFaults
	fieldMinFaults
	fieldMsgControl
	fieldName
	fieldOldFD
	fieldOption
	fieldPath
	fieldPGID
	fieldPID
	fieldPidFD
	fieldPIDNSStart
	fieldProto
	fieldPTID
	fieldReaper
	fieldRequest
	fieldTargetFD
	fieldTTY
	fieldTuple
	fieldType
	fieldUID
	fieldVMRSS
	fieldVMSize
	fieldVMSwap
	fieldVPGID
	fieldVPID
	fieldVTID
	numFields
)

var fieldNames = [numFields]string{
	"addr", "arg", "arg2_int", "args", "cap_effective", "cap_inheritable", "cap_permitted", "cgroups", "cmd", "comm", "creat_flags", "dirfd",
	"domain", "egid", "dev", "env", "euid", "exe", "exe_ino_ctime", "exe_ino", "exe_ino_mtime", "trusted_exepath",
	"fd", "fd1", "fd2", "fdlimit", "first", "flags", "gid", "ino", "last", "loginuid", "pgft_maj", "pgft_min", "msgcontrol", "name", "oldfd", "option",
	"path", "pgid", "pid", "pid_fd", "pidns_init_start_ts", "proto", "ptid", "reaper_tid", "request", "target_fd", "tty", "tuple", "type", "uid",
	"vm_rss", "vm_size", "vm_swap", "vpgid", "vpid", "vtid",
}

// shape says of an event code which rule it comes under and where its
// parameters are.
type shape struct {
	rule   rule
	aside  bool // it is no part of what its thread does
	letter byte
	makes  bool            // the result is a descriptor
	fd     int8            // index of the descriptor that the event is about, -1 if none
	at     [numFields]int8 // index of the parameter, -1 if the event has none
}

var shapes = makeShapes()

func makeShapes() *[syscalls.NumEvents]shape {
	var table [syscalls.NumEvents]shape
	for typ := range table {
		info, s := &syscalls.Events[typ], &table[typ]
		if info.Class != syscalls.CategoryInternal {
			s.rule, s.letter = rules[info.Name], letters[info.Name]
		}
		if s.rule == ruleNone && s.letter != 0 {
			s.rule = ruleNew
		}
		s.aside = info.Flags&syscalls.SkipParseReset != 0 || s.rule == ruleSwitch
		s.findFD(typ, info.Params)
		for f, name := range fieldNames {
			s.at[f] = -1
			for i := range info.Params {
				if info.Params[i].Name == name {
					s.at[f] = int8(i)
					break
				}
			}
		}
	}
	return &table
}

// half is one of the two events of a call.
type half struct {
	*event.View
	*shape
}

func (h half) bytes(f field) []byte {
	if h.View == nil {
		return nil
	}
	return h.Param(int(h.at[f])) // nil for -1
}

func (h half) str(f field) []byte {
	if h.View == nil {
		return nil
	}
	return h.Str(int(h.at[f]))
}

func (h half) int(f field) (int64, bool) {
	if h.View == nil {
		return 0, false
	}
	return h.Int(int(h.at[f]))
}

// call is a system call that has returned.
type call struct {
	exit   half
	enter  half // without a View if the enter event was not seen
	thread *Thread
	res    int64
}

// int returns a number of the exit event, of the enter event if the exit has
// none.
func (c *call) int(f field) (int64, bool) {
	if n, ok := c.exit.int(f); ok {
		return n, true
	}
	return c.enter.int(f)
}

// bytes is int for a parameter of varying length.
func (c *call) bytes(f field) []byte {
	if b := c.exit.bytes(f); len(b) > 0 {
		return b
	}
	return c.enter.bytes(f)
}
