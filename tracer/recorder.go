package tracer

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
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
	VMSize                          uint32 // kB
	FDLimit                         uint64
	Cgroup                          uint64 // of version 2
	Comm                            []byte

	// Of an exec:
	ExeDev, ExeIno, ExeCtime, ExeMtime uint64
	ExeLinks                           uint64
	ExePath                            []byte
	Args, Env                          []byte // Args with the first
}

// recorderSink makes a recorder a tracer's sink.
type recorderSink struct{ cfg *RecorderConfig }

func (s recorderSink) Active() bool       { return true }
func (s recorderSink) Reader() uint32     { return 0 }
func (s recorderSink) ReaderPID() int     { return 0 }
func (s recorderSink) Ceiling() int       { return s.cfg.Ceiling }
func (s recorderSink) Truth() bool        { return false }
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
	return &process{pid: m.PID, vpid: m.PID, mem: memory{pid: m.PID, served: &t.served}, image: &image{uid: nobody, gid: nobody, loginuid: nobody}}
}

// Enter takes the entry of a call.
func (r *Recorder) Enter(v *Invocation) {
	t, th := r.t, r.at(&v.Moment)
	in := abis[0]
	if v.Narrow {
		in = narrowOf()
	}
	t.in.Arch = in.audit
	t.in.Words[0] = uint64(v.Number)
	copy(t.in.Words[1:7], v.Args[:])
	c := &th.call
	if th.cut {
		th.cut = false
		s := t.specs.lookup(in.arch, v.Number)
		if s.kind == kindRestart || c.nr == t.in.Words[0] && c.arch == in.audit && v.Args == c.args {
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

// narrowOf is the ABI of 32-bit programs.
func narrowOf() abi {
	for _, a := range abis {
		if narrow(a.audit) {
			return a
		}
	}
	return abis[0]
}

// Exit takes the exit of a call.
func (r *Recorder) Exit(v *Invocation) {
	th := r.t.table.get(v.TID)
	if th == nil || !th.inCall || !th.executing() && th.call.nr != uint64(v.Number) {
		if v.Result == 0 && th != nil && r.t.specs.lookup(abis[0].arch, v.Number).kind == kindClone {
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
	if result == 0 {
		switch c.spec.kind {
		case kindCreds:
			th.proc.refreshCreds(&t.proc)
		case kindNS:
			th.proc.enteredSpaces(th.tid, &t.proc)
		case kindName:
			t.renamed(th)
		}
	}
	typ := c.spec.enter + 1
	if c.spec.kind == kindExec && result >= 0 {
		typ = syscalls.ExecveX // of execveat too
	}
	t.report(th, typ)
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
	p.limit = f.FDLimit
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
	if p.nested && p.vpid == 1 {
		p.nsStart = bootTime()
	}
	if th.comm != nil {
		im := *p.image
		im.comm = th.comm
		p.image = &im
	}
	return p
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
	im := &image{
		comm: bytes.Clone(f.Comm), majflt: f.MajFlt, minflt: f.MinFlt, vmsize: f.VMSize,
		tty: f.TTY, pgid: f.PGID, vpgid: f.VPGID, loginuid: f.LoginUID, uid: f.UID, gid: f.GID,
		capInh: f.CapInh, capPrm: f.CapPrm, capEff: f.CapEff,
		file: executable{path: bytes.Clone(f.ExePath), dev: f.ExeDev, ino: f.ExeIno, ctime: f.ExeCtime, mtime: f.ExeMtime},
	}
	args, env := list{strings: bytes.Clone(f.Args), size: uint64(len(f.Args))}, list{strings: bytes.Clone(f.Env), size: uint64(len(f.Env))}
	t.proc.lists.fit(&args, &env)
	im.exe, im.args = args.first()
	im.env = env.strings
	if f.ExeLinks == 0 && bytes.HasPrefix(im.file.path, []byte("/memfd:")) {
		im.file.flags |= exeFromMemfd
	}
	im.cgroups = p.readCgroups(p.pid, &t.proc)
	if len(im.cgroups.content) == 0 && p.image != nil && p.image.cgroups != nil {
		im.cgroups = p.image.cgroups // it has ended already
	}
	p.image = im
	p.parent = f.Parent
	if !th.inCall {
		t.tellExec(th)
	}
}

// End takes the end of a thread.
func (r *Recorder) End(m *Moment, status uint32) {
	th := r.at(m)
	if th.cut {
		th.cut = false
		r.ended(th, -int64(unix.EINTR))
	}
	r.t.procExit(th, status)
	r.t.giveText(&th.call)
	r.t.table.remove(th)
}
