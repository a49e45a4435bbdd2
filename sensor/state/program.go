package state

import (
	"strings"

	"github.com/pdig/pdig/internal/procfs"
)

// Program is what a thread executes. Threads that have it from each other share
// it: it never changes.
type Program struct {
	Exe  string // argv[0]
	Path string // of the file, "" if not known
	Args string // the arguments behind argv[0], each with its NUL
	Env  string // of the start, each with its NUL

	Flags        uint32 // ExeWritable and so on
	Ino          uint64 // of the file, 0 if not known
	Ctime, Mtime uint64 // ns since the Unix epoch
}

// noProgram is that of a thread of which nothing is known.
var noProgram = &Program{Exe: unknown}

// programOf is the program in a clone or exec exit.
func programOf(exit half) *Program {
	p := &Program{
		Exe:  string(exit.str(fieldExe)),
		Args: string(exit.bytes(fieldArgs)),
		Env:  string(exit.bytes(fieldEnv)),
	}
	if path := exit.str(fieldExePath); len(path) > 0 && string(path) != unknown {
		p.Path = string(path)
	}
	flags, _ := exit.int(fieldFlags)
	ino, _ := exit.int(fieldExeIno)
	ctime, _ := exit.int(fieldExeCtime)
	mtime, _ := exit.int(fieldExeMtime)
	p.Flags, p.Ino, p.Ctime, p.Mtime = uint32(flags), uint64(ino), uint64(ctime), uint64(mtime)
	p.bound()
	return p
}

// maxText bounds what is kept of paths, cgroups and so on, as libscap does: the
// drivers send no more. maxList is for arguments and environment, of which a tracer
// sends as much as a record has room for, if it is asked to.
const (
	maxText = 4096
	maxList = 1 << 16
)

// bound cuts what is longer than anybody sends.
func (p *Program) bound() {
	p.Path = cut(p.Path, maxText)
	for _, s := range [...]*string{&p.Exe, &p.Args, &p.Env} {
		*s = cut(*s, maxList)
	}
}

// account counts what the program of a thread takes. If that is too much the
// thread keeps its name only.
func (t *Table) account(th *Thread) {
	if t.threads[th.TID] != th {
		return // outside the table there is one
	}
	p := th.Program
	n := len(p.Exe) + len(p.Path) + len(p.Args) + len(p.Env) + len(th.Cgroups)
	if t.stats.Programs+n-th.text > 4*t.cfg.MaxText {
		th.Program, th.Cgroups, n = noProgram, "", 0
		t.stats.ProgramsLost++
	}
	t.stats.Programs += n - th.text
	th.text = n
}

// renamed is the program of a new thread whose parent has p: what its event says
// of the arguments counts.
func (p *Program) renamed(exit half) *Program {
	exe, args := exit.str(fieldExe), exit.bytes(fieldArgs)
	if len(exe) == 0 || string(exe) == p.Exe && string(args) == p.Args {
		return p
	}
	own := *p
	own.Exe, own.Args = string(exe), string(args)
	own.bound()
	return &own
}

// executes fills in what an exec exit tells of the thread.
func (th *Thread) executes(exit half, boot uint64) {
	th.Program = programOf(exit)
	th.setGroup(exit)
	th.tells(exit, boot)
	if n, ok := exit.int(fieldTTY); ok {
		th.TTY = uint32(n)
	}
	if n, ok := exit.int(fieldLoginUID); ok {
		th.LoginUID = uint32(n)
	}
	if n, ok := exit.int(fieldVPGID); ok {
		th.VPGID = n
	}
}

func (th *Thread) setGroup(exit half) {
	if n, ok := exit.int(fieldGID); ok {
		th.GID = uint32(n)
	}
}

// begins fills in what a clone exit tells of the new thread, and what it has
// from its parent, which may be nil.
func (th *Thread) begins(parent *Thread, exit half, boot uint64) {
	if parent != nil {
		th.Program, th.TTY, th.LoginUID, th.VPGID, th.GID = parent.Program.renamed(exit), parent.TTY, parent.LoginUID, parent.VPGID, parent.GID
		th.About = parent.About
		th.Latency, th.enteredAt = 0, 0
	} else {
		th.Program = programOf(exit)
		th.Program.Flags = 0 // those are of the clone
	}
	th.Started = exit.Time()
	th.tells(exit, boot)
	th.setGroup(exit)
	if n, ok := exit.int(fieldVTID); ok {
		th.VTID = n
	}
	if n, ok := exit.int(fieldVPID); ok {
		th.VPID = n
	}
}

// program looks up what a process executes.
func (t *Table) program(pid int64) *Program {
	args, err := procfs.ReadCmdline(t.proc(), int(pid))
	if err != nil {
		return noProgram
	}
	p := &Program{}
	p.Exe, p.Args, _ = strings.Cut(args, "\x00")
	// These fail where the process may not be looked into.
	p.Path, _ = procfs.ReadExe(t.proc(), int(pid))
	p.Env, _ = procfs.ReadEnviron(t.proc(), int(pid))
	p.bound()
	return p
}
