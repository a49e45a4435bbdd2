package tracer

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// A Recorder makes records of what a probe in the kernel has copied, by the
// code that makes those of what a tracer has stopped. It keeps the same table of
// threads, and touches none of them.
type Recorder struct {
	t   *Tracer
	now uint64
}

// RecorderConfig says what a recorder makes.
type RecorderConfig struct {
	Wants   func(*syscalls.Call) bool // nil: all
	Ceiling int
	Snaplen int
	Truth   bool             // the truth behind the records, as far as the copies tell it
	Out     func(rec []byte) // takes a record, which is reused afterwards
	Lost    func(cause event.Cause)
}

// Moment is when and where something has happened. TID and PID are those of the
// first pid namespace.
type Moment struct {
	Time     uint64 // ns since the Unix epoch
	TID, PID int
	Copies   *Copies
}

// Invocation is one half of a call.
type Invocation struct {
	Moment
	Narrow bool // of a 32-bit program
	X32    bool
	Number int
	Args   [6]uint64
	Result int64 // at the exit
}

// TaskFacts are what the kernel knows of a process that has executed a program, or
// was made.
type TaskFacts struct {
	Parent, PGID, VPGID, VPID, VTID int
	Nested                          bool // not in the first pid namespace
	UID, GID, LoginUID, TTY         uint32
	CapInh, CapPrm, CapEff          uint64
	MajFlt, MinFlt                  uint64
	Sizes                           Sizes
	FDLimit                         uint64
	NSStart                         uint64 // of the first process in its pid namespace, ns since boot
	Apart                           bool   // its children will be in another pid namespace
	Comm                            []byte
	Exe                             ExeFacts

	// Of an exec:
	Cgroups   [len(procfs.Controllers)][]byte // paths; nil: in none, or too long
	ExePath   []byte
	Named     []byte    // the path that was asked for, as the kernel has taken it; nil: not known
	Args, Env [2]uint64 // where they begin and end
}

// ExeFacts are what the kernel knows of the file that a process executes.
type ExeFacts struct {
	Dev, Ino, Ctime, Mtime uint64 // Dev as unix.Mkdev has it
	Links, UID, GID        uint32
	Mode                   uint16
	ReadOnly               bool // it cannot be changed by anybody
	Upper, Lower           bool // in which layer of an overlay file system it is
}

// Changes reports whether a call of that name changes what a recorder keeps of a
// process, or has it told: at its exit there have to be [TaskFacts].
func Changes(name string) bool {
	switch callKind(name) {
	case kindClone, kindExec, kindCreds, kindNS, kindName:
		return true
	}
	return false
}

// CallOf is the call of a number as a recorder takes it, nil if that has none.
func CallOf(narrow bool, nr int) *syscalls.Call {
	if i := index(abiOf(narrow).arch, nr); i >= 0 {
		return &syscalls.Calls[i]
	}
	return nil
}

// recorderSink makes a recorder a tracer's sink.
type recorderSink struct{ cfg *RecorderConfig }

func (s recorderSink) Active() bool       { return true }
func (s recorderSink) Reader() uint32     { return 0 }
func (s recorderSink) ReaderPID() int     { return 0 }
func (s recorderSink) Ceiling() int       { return s.cfg.Ceiling }
func (s recorderSink) Truth() bool        { return s.cfg.Truth }
func (s recorderSink) Snaplen() int       { return s.cfg.Snaplen }
func (s recorderSink) GiveUp(func() bool) {}

func (s recorderSink) Count(cause event.Cause) { s.cfg.Lost(cause) }

// Lost is for a summary, which a recorder does not have.
func (s recorderSink) Lost() (none [event.NumCauses]uint64) { return none }

func (s recorderSink) Write(rec []byte, _ shm.Class) bool {
	s.cfg.Out(rec)
	return true
}

// NewRecorder returns a recorder that knows no thread.
func NewRecorder(cfg RecorderConfig) *Recorder {
	r := &Recorder{}
	sink := recorderSink{&cfg}
	r.t = &Tracer{
		sink: sink, cfg: Config{Calls: selectionOf(cfg.Wants), Sink: sink},
		table:   table{threads: map[int]*thread{}},
		scratch: make([]byte, 0, 1<<16),
		clock:   func() uint64 { return r.now },
	}
	r.t.proc.lists = newListLimits(0)
	r.t.asked.args.strings, r.t.asked.env.strings = make([]byte, 0, 1<<14), make([]byte, 0, 1<<14)
	r.t.specs = newSpecs(r.t.cfg.Calls, cfg.Ceiling)
	return r
}

// selectionOf is the selection of those calls that a function wants.
func selectionOf(wants func(*syscalls.Call) bool) *Selection {
	s := &Selection{numbers: map[int]bool{}, rest: wants == nil}
	for i := range syscalls.Calls {
		s.calls[i] = wants == nil || wants(&syscalls.Calls[i])
	}
	return s
}

var noCopies Copies

// at finds the thread of a moment. One that was there before the probe is met in
// /proc.
func (r *Recorder) at(m *Moment) *thread {
	r.now = m.Time
	th := r.t.table.get(m.TID)
	if th == nil {
		th = r.t.table.add(m.TID, r.meet(m))
		if m.TID != m.PID {
			th.comm = readName(m.TID, &r.t.proc)
		}
	}
	th.proc.mem.copies = &noCopies
	if m.Copies != nil {
		th.proc.mem.copies = m.Copies
	}
	return th
}

func (r *Recorder) meet(m *Moment) *process {
	t := r.t
	if p := t.table.process(m.PID); p != nil {
		return p
	}
	var st procStatus
	if st.read(m.PID, &t.proc) && st.tgid == m.PID {
		p := t.meet(m.PID, &st)
		p.mem.close()
		return p
	}
	return &process{pid: m.PID, vpid: m.PID, mem: memory{pid: m.PID, served: &t.served}, image: &image{loginuid: nobody, creds: creds{uid: nobody, gid: nobody}}}
}

// word is the number as the program has it.
func (v *Invocation) word() uint64 {
	if v.X32 {
		return uint64(v.Number) | seccomp.X32
	}
	return uint64(v.Number)
}

// Enter takes the entry of a call.
func (r *Recorder) Enter(v *Invocation) {
	t, th := r.t, r.at(&v.Moment)
	in := abiOf(v.Narrow)
	t.in.Arch = in.audit
	t.in.Words[0] = v.word()
	copy(t.in.Words[1:7], v.Args[:])
	c := &th.call
	if th.cut {
		th.cut = false
		s := t.specs.lookup(in.arch, v.Number)
		if s.kind == kindRestart || c.nr == t.in.Words[0] && c.arch == in.audit && v.Args == c.raw {
			th.inCall = true
			return
		}
		r.ended(th, -int64(unix.EINTR))
	} else if th.inCall { // its exit was lost
		th.inCall = false
		t.giveText(c)
	}
	s := t.specOf(th)
	c.begin()
	c.spec, c.arch, c.nr = s, in.audit, t.in.Words[0]
	c.raw = v.Args
	copy(c.args[:], t.in.Words[1:7])
	if s.kind == kindClone {
		t.cloneFlags(th)
	}
	th.inCall = true
	if !s.report {
		return
	}
	t.capture(th)
	c.sent = true
	if !s.exitOnly {
		t.emit(th, th.tid, s.enter, s.class)
	}
	if s.noReturn {
		th.inCall = false
	}
}

// abiOf is the ABI of 64-bit or of 32-bit programs.
func abiOf(is32 bool) abi {
	for _, a := range abis {
		if narrow(a.audit) == is32 {
			return a
		}
	}
	return abis[0]
}

// Exit takes the exit of a call.
func (r *Recorder) Exit(v *Invocation) {
	th := r.t.table.get(v.TID)
	if th == nil || !th.inCall || !th.executing() && th.call.nr != v.word() {
		if v.Result == 0 && th != nil && r.t.specs.lookup(abiOf(v.Narrow).arch, v.Number).kind == kindClone {
			return // the child of a clone comes out of it too
		}
		r.Enter(v) // which was lost, or came before the probe
	}
	th = r.at(&v.Moment)
	if !th.inCall {
		return
	}
	switch v.Result {
	case restartSys, restartNoIntr, restartNoHandler, restartRestartBlock:
		th.inCall, th.cut = false, true
		return
	}
	r.ended(th, v.Result)
}

// ended writes the exit half of the call of th.
func (r *Recorder) ended(th *thread, result int64) {
	t, c := r.t, &th.call
	th.inCall = false
	c.ret = result
	if f := th.proc.mem.copies.Task; f != nil && (c.spec.kind != kindExec || result < 0) {
		th.proc.know(th, f)
	}
	typ := c.spec.enter + 1
	if c.spec.kind == kindExec && result >= 0 {
		typ = syscalls.ExecveX // of execveat too
	}
	t.report(th, typ)
	if c.spec.kind == kindExec && result < 0 {
		r.endLeader(th.proc, 0)
	}
}

// endLeader ends the leader of p if that has ended while a thread of p executed a
// program, and was not replaced after all.
func (r *Recorder) endLeader(p *process, heir int) {
	if leader := r.t.table.get(p.pid); leader != nil && leader.proc == p && leader.collected {
		r.End(&Moment{Time: r.now, TID: p.pid, PID: p.pid}, leader.status, heir)
	}
}

// Fork takes the birth of a thread, which the one of the moment has made.
func (r *Recorder) Fork(m *Moment, tid, pid int, f *TaskFacts) {
	t, th := r.t, r.at(m)
	if t.table.get(tid) != nil {
		return
	}
	p := th.proc
	if pid != p.pid {
		p = r.fork(th, pid, f)
	}
	child := t.table.add(tid, p)
	if p == th.proc {
		child.comm = bytes.Clone(th.comm)
	}
	p.mem.copies = &noCopies
	p.know(child, f)
	child.vtid = f.VTID
	typ := uint16(syscalls.CloneX)
	if th.inCall && th.call.spec.kind == kindClone {
		typ = th.call.spec.enter + 1
	}
	t.born(child, typ, th.call.flags)
}

func (r *Recorder) fork(th *thread, pid int, f *TaskFacts) *process {
	from := th.proc
	p := &process{
		pid: pid, vpid: f.VPID, mem: memory{pid: pid, served: &r.t.served}, image: from.image,
		nested: f.Nested, childNested: f.Nested, nsStart: from.nsStart,
	}
	p.descend(r.t.table.process(f.Parent), f.Parent)
	if f.Parent == from.pid {
		p.maker = th.tid
	}
	p.placed(th.call.flags, &r.t.proc)
	return p
}

// know takes what the kernel knows of a process, of which th is a thread.
func (p *process) know(th *thread, f *TaskFacts) {
	im := *p.image
	im.take(f)
	switch {
	case th.tid == p.pid:
		im.comm, th.comm = bytes.Clone(f.Comm), nil
	case !bytes.Equal(th.name(), f.Comm):
		th.comm = bytes.Clone(f.Comm)
	}
	p.image = &im
	p.limit = f.FDLimit
	p.nested, p.apart = f.Nested, f.Apart
	p.childNested = f.Nested || f.Apart
	p.nsStart = f.NSStart
	if !f.Nested { // as /proc tells it to the tracer
		p.nsStart -= p.nsStart % uint64(time.Second/userHZ)
	}
}

// take takes what may change while a program runs.
func (im *image) take(f *TaskFacts) {
	im.majflt, im.minflt = f.MajFlt, f.MinFlt
	im.vmsize, im.vmrss, im.vmswap = f.Sizes.VM, f.Sizes.RSS, f.Sizes.Swap
	im.tty, im.pgid, im.vpgid, im.loginuid = f.TTY, f.PGID, f.VPGID, f.LoginUID
	im.uid, im.gid = f.UID, f.GID
	im.capInh, im.capPrm, im.capEff = f.CapInh, f.CapPrm, f.CapEff
}

// Exec takes a new program of the process of the moment. The thread that had tid
// former before has the number of the process now.
func (r *Recorder) Exec(m *Moment, former int, f *TaskFacts) {
	t := r.t
	if th := t.table.get(former); th != nil && former != m.TID {
		t.replaceLeader(th, m.TID)
	}
	th := r.at(m)
	p := th.proc
	th.comm = nil
	p.mem.close()
	p.limit = f.FDLimit
	x := &f.Exe
	im := &image{
		comm: bytes.Clone(f.Comm),
		file: executable{path: bytes.Clone(f.ExePath), dev: x.Dev, ino: x.Ino, ctime: x.Ctime, mtime: x.Mtime},
	}
	im.take(f)
	lists := &t.proc.lists
	args, env := p.mem.strings(f.Args[0], f.Args[1], lists.bytes), p.mem.strings(f.Env[0], f.Env[1], lists.bytes)
	lists.fit(&args, &env)
	im.exe, im.args = args.first()
	im.env = env.strings
	im.file.flags = x.flags(m.PID, im)
	im.cgroups = p.cgroupsOf(f)
	p.image = im
	p.parent = f.Parent
	switch {
	case !th.inCall:
		t.tellExec(th)
	case th.executing() && len(f.Named) > 0:
		th.call.takeName(uint8(pathArg(th.call.spec.enter)), f.Named)
	}
}

// cgroupsOf are those that the kernel knows, mostly those that p was in, which also stand
// for what is too long.
func (p *process) cgroupsOf(f *TaskFacts) *cgroupList {
	var list []byte
	for i, path := range f.Cgroups {
		if path != nil {
			list = append(append(append(list, procfs.Controllers[i]...), '='), path...)
			list = append(list, 0)
		}
	}
	list = procfs.BoundCgroups(list)
	if im := p.image; im != nil && im.cgroups != nil && (len(list) == 0 || bytes.Equal(list, im.cgroups.falco)) {
		return im.cgroups
	}
	return &cgroupList{falco: list}
}

// flags are Falco's of the executable of process pid.
func (x *ExeFacts) flags(pid int, im *image) (flags uint32) {
	if !x.ReadOnly && im.mayWrite(pid, x.UID, x.GID, x.Mode) {
		flags |= exeWritable
	}
	if x.Upper {
		flags |= exeUpperLayer
	}
	if x.Lower {
		flags |= exeLowerLayer
	}
	if x.Links == 0 && bytes.HasPrefix(im.file.path, []byte("/memfd:")) {
		flags |= exeFromMemfd
	}
	return flags
}

// Signal takes a signal that a thread is given, which process from has sent: 0 if
// none has.
func (r *Recorder) Signal(m *Moment, signal uint8, from int) {
	t, th := r.t, r.at(m)
	t.enc.Begin(t.clock(), int64(th.tid), syscalls.SignalDeliverE, 3)
	t.enc.Int(8, uint64(int64(from)))
	t.enc.Int(8, uint64(int64(th.tid)))
	t.enc.Int(1, uint64(signal))
	if rec, err := t.enc.End(); err == nil {
		t.sink.Write(rec, shm.Normal)
	}
}

// End takes the end of a thread. Its children, if it was the last one of its process, go
// to process heir.
func (r *Recorder) End(m *Moment, status uint32, heir int) {
	th := r.at(m)
	if th.cut {
		th.cut = false
		r.ended(th, -int64(unix.EINTR))
	}
	p := th.proc
	if r.t.execInProgress(th) {
		th.status, th.collected = status, true // it is replaced, unless the exec is killed
		return
	}
	p.heir = heir
	r.t.procExit(th, status)
	if p.live == 0 && heir != 0 {
		r.t.adoptive(p, heir)
	}
	r.t.giveText(&th.call)
	r.t.table.remove(th)
	if th.executing() {
		r.endLeader(p, heir)
	}
}
