package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

// Outcome is what came of a trial: 0 if it worked, else an errno, or one of the
// two below.
type Outcome int

const (
	// Untried means that something else that it needs did not work.
	Untried Outcome = -1
	// Silent means that it was accepted, and nothing followed.
	Silent Outcome = -2
)

func outcome(errno unix.Errno) Outcome { return Outcome(errno) }

// OK reports whether it worked.
func (o Outcome) OK() bool { return o == 0 }

// Failed reports whether it was tried and did not work.
func (o Outcome) Failed() bool { return o > 0 || o == Silent }

func (o Outcome) String() string {
	switch o {
	case 0:
		return "works"
	case Untried:
		return "not tried"
	case Silent:
		return "accepted, but without effect"
	}
	errno := unix.Errno(o)
	return fmt.Sprintf("%s (%s)", unix.ErrnoName(errno), errno.Error())
}

// Facts are all that a judgement rests on.
type Facts struct {
	Surroundings
	Tracing
	Proc
	Ring     shm.Condition
	RingErr  error
	Limits   []Limit
	Launched Launched
}

// Surroundings are where the process runs.
type Surroundings struct {
	Kernel     string // release
	Machine    string
	Container  string // docker, podman, kubernetes, ecs, gvisor, or empty
	UID        int
	Caps       uint64 // effective
	NoNewPrivs bool
	Filtered   bool   // a seccomp filter is there already
	Yama       int    // kernel.yama.ptrace_scope, 0 also where there is no Yama
	Label      string // of AppArmor or SELinux
	DenyPtrace bool   // boolean of SELinux
	UserNS     bool   // another user namespace than the first
	TracedBy   string // who traces the process already
	OwnEntry   bool   // the program was linked with its own entry
}

// Tracing is what can be done to other processes.
type Tracing struct {
	Child       Outcome // PTRACE_TRACEME
	Options     Outcome // of ptrace
	Seize       Outcome // a child
	Stop        Outcome // an interrupt of it
	Sibling     Outcome // seize of another process of the user
	Hidden      Outcome // of one that is not dumpable: as of other users
	Filter      Outcome // without no_new_privs
	FilterNNP   Outcome // with it
	FilterStop  Outcome // a filter stops a call
	EntryBefore bool    // a call stops for ptrace after it has for its filter: before 4.8
	Listener    Outcome // for user notifications
	CallInfo    Outcome // PTRACE_GET_SYSCALL_INFO
	ReadV       Outcome // process_vm_readv
	MemoryFile  Outcome // /proc/PID/mem
	Peek        Outcome // PTRACE_PEEKDATA
	PidfdOpen   Outcome
	PidfdGetfd  Outcome
}

// Proc is what /proc is like.
type Proc struct {
	Mounted bool
	Foreign bool // of another pid namespace
	Replace bool // which does not matter, since there can be another one
	Hides   bool // the processes of others: hidepid
}

// Limit is what there is of something.
type Limit struct {
	Name       string
	Have, Need uint64
}

// Launched is what came of a launch from beginning to end.
type Launched struct {
	Status  int    // of the command
	Words   string // on its standard error
	Records int
}
