package state

import (
	"bytes"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// About is what is known of a thread besides its names: what capture lists,
// clones and execs tell. What nobody has told is 0, or -1 where that is a number
// like others.
type About struct {
	SID, PGID                                  int64  // session and process group, -1 if not known
	Cgroups                                    string // subsystem=path, each with its NUL
	FDLimit                                    int64  // -1 if not known
	VMSize, VMRSS, VMSwap                      uint32 // KiB
	MajorFaults, MinFaults                     uint64
	CapInheritable, CapPermitted, CapEffective uint64
	Started                                    uint64 // ns since the Unix epoch, 0 if not known
	PIDNSStart                                 uint64 // the same of its pid namespace

	Latency   uint64 // ns, of the call that has returned last
	enteredAt uint64 // ns since the Unix epoch
}

var unknownAbout = About{SID: -1, PGID: -1, FDLimit: -1}

// Bits of what an exec tells of a program's file.
const (
	ExeWritable   = 1 << iota // by the user who has started it
	ExeUpperLayer             // of an overlay file system
	ExeMemFD
	ExeLowerLayer
)

// clock measures how long calls take: from the enter event that the thread had
// last.
func (t *Table) clock(v *event.View, s *shape) {
	th := t.cur
	switch {
	case s.aside, t.newest(): // there is no enter event to measure from
	case syscalls.IsEnter(v.Type()):
		th.Latency, th.enteredAt = 0, v.Time()
	case th.enteredAt != 0:
		th.Latency = v.Time() - min(th.enteredAt, v.Time())
	}
}

// put sets a number that an event tells.
func put[T int64 | uint64 | uint32](exit half, f field, to *T) {
	if n, ok := exit.int(f); ok {
		*to = T(n)
	}
}

// tells fills in what an exit event of clone or exec says of the thread. The start of
// a pid namespace is counted there from the boot, which old captures do not tell.
func (a *About) tells(exit half, boot uint64) {
	put(exit, fieldFDLimit, &a.FDLimit)
	put(exit, fieldMajorFaults, &a.MajorFaults)
	put(exit, fieldMinFaults, &a.MinFaults)
	put(exit, fieldCapInheritable, &a.CapInheritable)
	put(exit, fieldCapPermitted, &a.CapPermitted)
	put(exit, fieldCapEffective, &a.CapEffective)
	if n, ok := exit.int(fieldPIDNSStart); ok && n > 0 && boot > 0 {
		a.PIDNSStart = boot + uint64(n)
	}
	put(exit, fieldPGID, &a.PGID)
	a.grown(exit)
	if groups := exit.bytes(fieldCgroups); len(groups) > 0 {
		a.Cgroups = cgroups(groups[:min(len(groups), maxText)])
	}
}

// cgroups are those of an event as libsinsp names them: what the kernel calls io
// has its name of version 1.
func cgroups(list []byte) string {
	var s []byte
	for part := range bytes.SplitAfterSeq(list, []byte{0}) {
		if bytes.HasPrefix(part, []byte("io=")) {
			s = append(s, "blk"...)
		}
		s = append(s, part...)
	}
	return string(s)
}

// switched is what is told of a thread that leaves its CPU.
func (a *About) switched(h half) {
	put(h, fieldMajorFaults, &a.MajorFaults)
	put(h, fieldMinFaults, &a.MinFaults)
}

// grown follows the size of a process through brk, mmap and munmap.
func (a *About) grown(exit half) {
	put(exit, fieldVMSize, &a.VMSize)
	put(exit, fieldVMRSS, &a.VMRSS)
	put(exit, fieldVMSwap, &a.VMSwap)
}

// about is what a capture's list says of a thread.
func about(p *capture.Process) About {
	return About{
		SID: p.SID, PGID: p.PGID, Cgroups: cut(p.Cgroups, maxText), FDLimit: p.FDLimit,
		VMSize: p.VMSize, VMRSS: p.VMRSS, VMSwap: p.VMSwap, MajorFaults: p.MajorFaults, MinFaults: p.MinFaults,
		CapInheritable: p.CapInheritable, CapPermitted: p.CapPermitted, CapEffective: p.CapEffective,
		PIDNSStart: p.PIDNSStart,
	}
}

// listed is the program that a capture's list says of a thread.
func listed(p *capture.Process) *Program {
	program := &Program{Exe: p.Exe, Path: p.ExePath, Args: p.Args, Env: p.Env, Ino: p.ExeIno, Ctime: p.ExeInoCtime, Mtime: p.ExeInoMtim}
	for bit, set := range map[uint32]bool{
		ExeWritable: p.ExeWritable, ExeUpperLayer: p.UpperLayer, ExeMemFD: p.MemFD, ExeLowerLayer: p.LowerLayer,
	} {
		if set {
			program.Flags |= bit
		}
	}
	program.bound()
	return program
}

// describe fills in what a capture's list has of it.
func (a *About) describe(p *capture.Process) {
	p.SID, p.PGID, p.Cgroups, p.FDLimit = a.SID, a.PGID, a.Cgroups, a.FDLimit
	p.VMSize, p.VMRSS, p.VMSwap, p.MajorFaults, p.MinFaults = a.VMSize, a.VMRSS, a.VMSwap, a.MajorFaults, a.MinFaults
	p.CapInheritable, p.CapPermitted, p.CapEffective, p.PIDNSStart = a.CapInheritable, a.CapPermitted, a.CapEffective, a.PIDNSStart
}

// describe fills in what a capture's list has of it.
func (program *Program) describe(p *capture.Process) {
	p.Exe, p.ExePath, p.Args, p.Env = program.Exe, program.Path, program.Args, program.Env
	p.ExeWritable, p.UpperLayer = program.Flags&ExeWritable != 0, program.Flags&ExeUpperLayer != 0
	p.MemFD, p.LowerLayer = program.Flags&ExeMemFD != 0, program.Flags&ExeLowerLayer != 0
	p.ExeIno, p.ExeInoCtime, p.ExeInoMtim = program.Ino, program.Ctime, program.Mtime
}
