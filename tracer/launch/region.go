package launch

import (
	"structs"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// memory is the region. Its twins are entry_amd64.s and entry_arm64.s, which
// take the offsets from the header that the compiler makes of this file
// (go_asm.h): memory_gate and so on, const_regionSize and so on.
//
//	offset  size  field   written by, when
//	     0     4  gate    tracer, last: 1 lets the original process go on
//	     4     4  ready   original, once the tracer may seize it
//	     8     4  resumed tracer: the original is to become the Go program
//	    12     4  stderr entry: the tracer's descriptor 2, put aside, or 0
//	    16     8  stack   entry: initial stack pointer, at which argc stands
//	    24     8  pid     entry: the original as it sees itself
//	    32     8  tracer  original: the tracer as the original sees it
//	    40    16  tick    entry: how long one wait for the gate lasts
//	    56  5632  script  tracer
//	  5688 59848  data    tracer: strings and structures of the script
type memory struct {
	_       structs.HostLayout
	gate    atomic.Uint32
	ready   atomic.Uint32
	resumed atomic.Uint32
	stderr  int32
	stack   *uint64
	pid     int64
	tracer  int64
	tick    unix.Timespec
	script  [scriptLen]entry
	data    [regionSize - headerSize - scriptLen*entrySize]byte
}

// entry is one system call of the script. Its result is stored at dst, which
// may be an argument of a later entry; then the entry at ok is next, or that at
// bad when the result was an error.
type entry struct {
	_    structs.HostLayout
	nr   int64 // number, or opGo, or opStore
	args [6]uint64
	dst  uint64 // address, of res unless said otherwise
	ok   uint64 // address
	bad  uint64 // address
	res  int64
}

// The script has two entries that are not system calls.
const (
	opGo    = -1 // become the Go program
	opStore = -2 // the result is the first argument
)

const (
	headerSize = 56
	entrySize  = 88
	scriptLen  = 64
)

// The assembly uses these, as const_regionSize and so on.
const (
	regionSize   = 64 << 10
	tickNs       = 50_000_000 // bounds how late it is seen that the tracer is dead
	mapProt      = unix.PROT_READ | unix.PROT_WRITE
	mapFlags     = unix.MAP_SHARED | unix.MAP_ANONYMOUS
	setTracer    = unix.PR_SET_PTRACER
	waitFlags    = unix.WNOHANG | unix.WALL
	ownStatus    = StatusFailed
	prefixGO     = 0x4f47 // "GO", as it stands in memory
	plainMark    = PlainMark
	raisedLimits = 1<<unix.RLIMIT_CPU | 1<<unix.RLIMIT_FSIZE | 1<<unix.RLIMIT_DATA | 1<<unix.RLIMIT_STACK |
		1<<unix.RLIMIT_NPROC | 1<<unix.RLIMIT_NOFILE | 1<<unix.RLIMIT_AS
	lastRaised   = unix.RLIMIT_AS
	rlimInfinity = unix.RLIM_INFINITY
	dupCloexec   = unix.F_DUPFD_CLOEXEC
	cwd          = unix.AT_FDCWD
	rootFlags    = unix.O_PATH | unix.O_CLOEXEC
	sysMmap      = unix.SYS_MMAP
	sysGetpid    = unix.SYS_GETPID
	sysClone     = unix.SYS_CLONE
	sysSetsid    = unix.SYS_SETSID
	sysPrctl     = unix.SYS_PRCTL
	sysPrlimit   = unix.SYS_PRLIMIT64
	sysFcntl     = unix.SYS_FCNTL
	sysOpenat    = unix.SYS_OPENAT
	sysDup3      = unix.SYS_DUP3
	sysClose     = unix.SYS_CLOSE
	sysFutex     = unix.SYS_FUTEX
	sysWait4     = unix.SYS_WAIT4
	sysWrite     = unix.SYS_WRITE
	sysExitGroup = unix.SYS_EXIT_GROUP
)

// What the assembly says on standard error before it ends with StatusFailed.
var (
	mapRefused   = "pdig: cannot map 64 KiB of shared memory\n"
	cloneRefused = "pdig: cannot start the tracer: clone was refused, perhaps by a limit of processes\n"
	tracerLost   = "pdig: the tracer ended before the command was started, perhaps by a limit (ulimit -d, -n, -s, -u, -v)\n"
)

// region is what the entry has mapped; nil in a program that began at the
// entry of the Go runtime. It is set before the runtime runs, by assembly.
var region *memory
