package tracer

import "golang.org/x/sys/unix"

// thread is one tracee.
type thread struct {
	tid  int
	proc *process
	call call // what it is in, or was in last

	// interrupted are the calls, oldest first, that a signal cut short and
	// whose end is not known yet.
	interrupted []call

	inCall    bool   // between the halves of call
	fresh     bool   // a child or thread of the command before its first stop
	stepping  bool   // to the first instruction of a signal handler
	exited    bool   // its procexit event is out
	collected bool   // the kernel has told of its death, and knows it no more
	unsure    bool   // call has ended with EINTR: see ignored.go
	asked     bool   // for a stop that tells why
	again     uint8  // how often its call has been made to begin again after that
	heard     uint32 // process.signals when that was counted from
	awaits    bool   // is in a wait that sees the tracer
	inside    bool   // its last stop was in a call, before the end of that: see callinfo.go
	cut       bool   // it has stopped last at the exit of a call that goes on if no handler runs
	loose     bool   // it stops at no call any more
	parts     bool   // is let go of in the stop that is being handled
	seized    bool   // while it ran, and has not stopped since: what it is in is not known
	stood     bool   // at the entry of its call it has stopped without a filter
	bound     bool   // it is killed when the tracer ends: see inject.go

	ended ended // what is left of a call that has ended with EINTR

	injection *injection // what it does for us, nil as a rule

	table uint32 // sockets.opened of a time when it had the descriptors of sockets.tid

	vtid int    // in its own pid namespace, 0 if that was not told
	comm []byte // its name, if it has another one than its process
	own  *creds // who it is, if that is somebody else than its process: never changed, only replaced

	known     uint32 // the reader that has been told of it, see announce.go
	announced bool   // what is emitted tells of it

	status uint32 // wait status of its end
}

// call is one system call of a thread.
type call struct {
	spec   *spec
	args   [6]uint64
	raw    [6]uint64 // args as a recorder got them
	nr     uint64
	ret    int64
	ip     uint64
	sp     uint64
	arch   uint32 // AUDIT_ARCH_*
	packed uint64 // where a socketcall has its arguments
	sent   bool   // the enter half was written, so the exit half has to be

	text     []byte    // the strings of args, one behind the other, without NUL
	texts    [6]extent // where they stand, by argument
	addr     []byte    // the socket address, as the kernel has it
	flags    uint64    // of clone and clone3, native
	missing  bool      // of text or addr something could not be read
	hidden   bool      // of what the kernel reads something is in no memory for others
	creates  bool      // an open that makes the file, if it succeeds
	changed  bool      // clone: the flags are not those of the program
	child    int       // clone: tid of the child, once that is told
	order    uint64    // clone: how many calls of the family came before
	file     unix.Stat_t
	fileFor  int // the descriptor that file describes, -1 none
	queue    queue
	how      [24]byte // of an openat2, if that is known
	howKnown bool
	many     bool // may have changed the priority of the tracer

	since      uint64 // summary: time of the entry
	message    int    // sendmmsg, recvmmsg: the message that the event is about
	sizesKnown bool   // Tracer.sizes are those of this call
}

// extent is a part of call.text. Unreadable memory has none.
type extent struct {
	off, len uint16
	ok       bool // something could be read
	whole    bool // up to the end, or to as much as is kept
}

// string returns the string at argument n and whether it could be read.
func (c *call) string(n uint8) ([]byte, bool) {
	x := c.texts[n]
	return c.text[x.off:][:x.len], x.ok
}

// begin makes c a new call and keeps its buffers.
func (c *call) begin() {
	*c = call{text: c.text[:0], addr: c.addr[:0], fileFor: -1}
}

// process is what threads share that share an address space and a pid.
type process struct {
	pid      int
	parent   int      // pid, as the tracer sees it
	up       *process // the parent, if that is traced
	maker    int      // thread of the parent that has made it
	children int      // that have this as their parent
	vpid     int      // in its own pid namespace
	threads  int
	signals  uint32 // that its threads have stopped for
	live     int    // threads without a procexit event
	mem      memory
	sockets  sockets

	injected    bool // a thread has tried, or tries, to give it a filter after the start
	injecting   bool // and has not ended
	filtered    bool // it has the filter
	nested      bool // in another pid namespace than the tracer
	childNested bool // its children will be
	apart       bool // its children will be in another one than itself
	root        bool // the command
	adopted     bool // has come from outside, or was made by one that has
	tracee      int  // one that it has attached to, or 0
	nsStart     uint64
	limit       uint64    // of its descriptors, 0 if that was not told
	heir        int       // who gets its children, 0 if that was not told
	foreseen    foresight // while it executes a program

	*image
}

// image is what an exec decides about a process. Forks share it, so it is
// never changed, only replaced.
type image struct {
	comm, exe, args, env []byte
	cgroups              *cgroupList

	majflt, minflt        uint64
	vmsize, vmrss, vmswap uint32 // kB
	tty                   uint32
	pgid, vpgid           int
	loginuid              uint32
	envEnd                uint64 // where the environment has ended at its start
	file                  executable
	creds
}

// creds are the effective user and group, and the capabilities.
type creds struct {
	uid, gid               uint32
	capInh, capPrm, capEff uint64
}

// executable is the file that an image was made of.
type executable struct {
	path         []byte
	dev, ino     uint64
	ctime, mtime uint64 // ns since the Unix epoch
	flags        uint32 // PPM_EXE_*
}

// table is all tracees.
type table struct {
	threads map[int]*thread
	last    *thread // most stops are those of the thread before
}

func (t *table) get(tid int) *thread {
	if t.last != nil && t.last.tid == tid {
		return t.last
	}
	th := t.threads[tid]
	if th != nil {
		t.last = th
	}
	return th
}

// process returns the process with that pid of which threads are known, or nil.
func (t *table) process(pid int) *process {
	if leader := t.get(pid); leader != nil {
		return leader.proc
	}
	for _, th := range t.threads {
		if th.proc.pid == pid {
			return th.proc
		}
	}
	return nil
}

func (t *table) add(tid int, p *process) *thread {
	th := &thread{tid: tid, proc: p}
	th.call.begin()
	p.threads++
	p.live++
	t.threads[tid] = th
	return th
}

// rename gives th the tid of its process, as an exec does.
func (t *table) rename(th *thread, tid int) {
	delete(t.threads, th.tid)
	th.tid = tid
	t.threads[tid] = th
	t.last = nil
}

// remove forgets th and, with its last thread, what is kept of its process.
func (t *table) remove(th *thread) {
	delete(t.threads, th.tid)
	t.last = nil
	p := th.proc
	if th.injection != nil {
		p.injected, p.injecting = false, false // somebody else may
	}
	if p.threads--; p.threads == 0 {
		if p.up != nil {
			p.up.children--
		}
		p.mem.close()
		p.sockets.close()
	}
}
