package capture

import "net/netip"

// Entry is what a capture says besides events: a [Section], [Machine], [Process],
// [FD], [User], [Group] or [Interface].
type Entry interface{ entry() }

// Section is the beginning of a capture, or of another one in the same file:
// what was known of processes, descriptors and users counts no more.
type Section struct{}

// Machine is where the events are of.
type Machine struct {
	CPUs   uint32
	Memory uint64 // bytes
	MaxPID uint64
	Host   string
	Boot   uint64    // ns since the epoch; 0 of old writers
	More   [3]uint64 // of newer writers: flags
}

// Process is a thread as of the beginning. What a list is too old to have is 0,
// or -1 where that stands for unknown.
type Process struct {
	TID, PID, PTID          int64
	SID, VPGID              int64
	Comm, Exe, ExePath      string
	Args, Env, Cgroups      string // each part ends with a NUL
	Cwd, Root               string
	FDLimit                 int64
	Flags                   uint32 // of clone, in Falco's numbering
	UID, GID                uint32
	VMSize, VMRSS, VMSwap   uint32 // KiB
	MajorFaults, MinFaults  uint64
	VTID, VPID              int64
	LoginUID                uint32
	ExeWritable             bool
	CapInheritable          uint64
	CapPermitted            uint64
	CapEffective            uint64
	PIDNSStart              uint64 // ns since the epoch
	TTY                     uint32
	UpperLayer, LowerLayer  bool // of an overlay file system, where the program is
	MemFD                   bool // the program is a memfd
	ExeIno                  uint64
	ExeInoCtime, ExeInoMtim uint64 // ns since the epoch
	PGID                    int64
}

// FDType says what a descriptor is, in libscap's numbering.
type FDType uint8

// Types of descriptors.
const (
	FDUnknown FDType = iota
	FDFile
	FDDirectory
	FDIPv4
	FDIPv6
	FDIPv4Listen
	FDIPv6Listen
	FDFifo
	FDUnix
	FDEvent
	FDUnsupported
	FDSignal
	FDEventPoll
	FDInotify
	FDTimer
	FDNetlink
	FDFile2 // a file with its flags
	FDBPF
	FDUserFault
	FDIOUring
	FDMem
	FDPID
	numFDTypes
)

// Protocols of internet sockets, in libscap's numbering.
const (
	L4Unknown = iota
	L4None
	L4TCP
	L4UDP
	L4ICMP
	L4Raw
)

// FD is an open descriptor of a thread as of the beginning.
type FD struct {
	TID     int64
	Number  int64
	Ino     uint64
	Type    FDType
	Name    string
	Flags   uint32         // of FDFile2, in Falco's numbering
	Dev     uint32         // of FDFile2
	Source  netip.AddrPort // of an internet socket; a listening one has only this
	Dest    netip.AddrPort
	L4      uint8     // of an internet socket
	Sockets [2]uint64 // of a unix socket: source and destination
}

// User is an entry of the file of users.
type User struct {
	UID, GID          uint32
	Name, Home, Shell string
}

// Group is an entry of the file of groups.
type Group struct {
	GID  uint32
	Name string
}

// Interface is an address of a network interface.
type Interface struct {
	Name                  string
	Addr, Mask, Broadcast netip.Addr
	Speed                 uint64 // bits per second; 0 if not known
}

func (*Section) entry()   {}
func (*Machine) entry()   {}
func (*Process) entry()   {}
func (*FD) entry()        {}
func (*User) entry()      {}
func (*Group) entry()     {}
func (*Interface) entry() {}
