package tracer

import (
	"io"
	"os"
	"sync/atomic"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/tracer/launch"
)

// Config is what a trace needs.
type Config struct {
	Calls *Selection
	Every bool // stop the command at every call instead of installing a filter
	Kill  bool // who is traced is killed when the tracer ends, also without a filter
	Adopt bool // trace also who comes into the pid namespace from outside
	// Visitors is the same for a command, but no error where it is not possible.
	Visitors bool
	Release  bool // let go of whoever is about to get another tracer; needs Every
	WaitAll  bool // do not tell of the end of the command before that of its last descendant
	Pin      bool // put the tracer and a thread that stops often on one CPU
	Snaplen  int  // bytes of data kept of a call, at most MaxSnaplen; 0: what the reader wants
	// ArgsLimit is how many bytes are kept of arguments and of the environment of a
	// program, at most MaxArgsLimit, with the length of what is longer;
	// 0: DefaultArgsLimit, without.
	ArgsLimit int
	Sink      Sink
	// Summary gets a table of the calls when the command ends, before its
	// parent learns of that, or when attached processes are let go of. It is
	// nil for none.
	Summary io.Writer
	// Ended is called when the command has ended and all its events are written,
	// before its parent learns of that. The end of a command that is PID 1 of the
	// tracer's pid namespace is the last: with it the tracer is killed. It is nil for
	// nobody, and not for attached processes.
	Ended func(last bool)
	Log   zerolog.Logger
}

// Tracer traces one command, or the processes that it has attached to.
type Tracer struct {
	cfg   Config
	sink  Sink
	log   zerolog.Logger
	specs *specs
	enc   event.Encoder
	table table
	heap  heap
	pin   pin
	in    sys.SyscallInfo
	regs  bool // the kernel does not tell about calls: registers are read
	every bool // there is no filter: all calls stop, see every.go
	// Who is attached to gets this filter, if there is one: see inject.go.
	filter     []byte
	unfiltered func(error)

	options uintptr // of ptrace
	binds   bool    // who descends from the command is killed when the tracer ends
	onward  int     // the request for threads that nothing special is wanted of

	births births
	served served
	turn   []report // that are being handled
	at     int      // the next of them

	root       *launch.Original // until the command has been executed
	rootPID    int
	cookie     uint16 // of the stops of our filter
	announced  bool   // the birth of the command is told
	notStarted func(error)
	sum        *summary // nil when none is wanted
	draining   bool     // report stops, but let nobody go on
	held       *thread  // while draining: goes on at the end, by release
	release    int      // PTRACE_*
	heldStatus uint32   // of a fault with which the command ends then
	over       bool     // everybody's end has been told
	concluded  bool     // Config.Ended was called
	holding    bool     // the command is dying or dead, and not to be collected: see waitall.go
	news       chan os.Signal
	letGoNow   chan os.Signal

	escapes    []escape
	escaped    int  // by CLONE_UNTRACED
	handedOver int  // processes
	listening  bool // our filter has a listener

	adoption *adoption // nil when nobody is to be adopted

	attached bool        // no command was launched
	leaving  atomic.Bool // the tracees are to be let go of
	parting  bool        // and are being let go of
	failed   error       // why

	priorities priorities // before a call that is under way

	clock   func() uint64
	ends    endpoints
	truth   truth
	diag    sockDiag
	iov     buffers
	sizes   procStatus                   // see nowFunc
	addr    [unix.SizeofSockaddrAny]byte // of a message
	limit   unix.Rlimit                  // of a process
	proc    procBuffer
	asked   struct{ args, env list } // of the last exec that has failed
	scratch []byte                   // for a string or a path
	control []byte                   // of a message of a 32-bit program
	texts   [][]byte                 // for the strings of calls, not in use
}

// resume lets a stopped thread go on. Its death meanwhile is not an error.
func (t *Tracer) resume(th *thread, request, sig int) {
	if request == unix.PTRACE_CONT {
		if !th.proc.filtered || th.stood {
			request = t.onward
		}
		th.loose = t.parting || th.proc.filtered
	}
	if th.parts {
		request = unix.PTRACE_DETACH
	}
	if !t.draining {
		_ = sys.Ptrace(request, th.tid, 0, uintptr(sig))
	}
}

// active reports whether somebody wants records.
func (t *Tracer) active() bool { return !t.over && t.sink.Active() }
