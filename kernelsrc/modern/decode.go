package modern

import (
	"bytes"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/tracer"
)

// Records of the probe: struct head of bpf/probe.bpf.c, then areas.
const (
	offLen    = 8
	offKind   = 12
	offABI    = 13
	offNumber = 14
	offTID    = 16
	offPID    = 20
	offArgs   = 24
	offResult = offArgs + 6*8
	offCPU    = offArgs + 7*8
	headSize  = offArgs + 8*8

	areaSize = 16
)

// Kinds of records.
const (
	kindEnter = iota + 1
	kindExit
	kindFork
	kindExec
	kindEnd
	kindSignal
)

// Kinds of areas.
const (
	areaMemory = iota + 1
	areaFile
	areaSocket
	areaTask
	areaPath
	areaSizes
	areaCgroup
	areaProgram
)

// Lengths of the areas with a layout of their own.
const (
	fileSize   = 24
	socketSize = 8 + 8 + 32 + 8 + 8 + 2*112
	sizesSize  = 3 * 8
	taskSize   = 10*8 + sizesSize + 18*4 + 16
)

// decoder takes records of the probe apart.
type decoder struct {
	rec    *tracer.Recorder
	copies tracer.Copies
	task   tracer.TaskFacts
	known  bool   // task is that of the record
	paths  []byte // of files
	addrs  []byte // of sockets
	bad    uint64
}

var u64, u32, u16 = binary.NativeEndian.Uint64, binary.NativeEndian.Uint32, binary.NativeEndian.Uint16

// take makes records of one of the probe.
func (d *decoder) take(b []byte) {
	if len(b) < headSize || !d.areas(b[headSize:]) {
		d.bad++
		return
	}
	m := tracer.Moment{Time: u64(b), TID: int(u32(b[offTID:])), PID: int(u32(b[offPID:])), Copies: &d.copies}
	var args [6]uint64
	for i := range args {
		args[i] = u64(b[offArgs+8*i:])
	}
	switch kind := b[offKind]; kind {
	case kindEnter, kindExit:
		v := tracer.Invocation{
			Moment: m, Narrow: b[offABI] == narrow, X32: b[offABI] == x32, Number: int(u16(b[offNumber:])),
			Args: args, Result: int64(u64(b[offResult:])),
		}
		if kind == kindEnter {
			d.rec.Enter(&v)
		} else {
			d.rec.Exit(&v)
		}
	case kindFork:
		if d.known {
			d.rec.Fork(&m, int(args[0]), int(args[1]), &d.task)
		}
	case kindExec:
		if d.known {
			d.task.Args, d.task.Env = [2]uint64{args[1], args[2]}, [2]uint64{args[3], args[4]}
			d.rec.Exec(&m, int(args[0]), &d.task)
		}
	case kindEnd:
		d.rec.End(&m, uint32(args[0]), int(args[1]))
	case kindSignal:
		d.rec.Signal(&m, uint8(args[0]), int(args[1]))
	default:
		d.bad++
	}
}

// areas takes what stands behind the head of a record. It reports whether that made
// sense.
func (d *decoder) areas(b []byte) bool {
	d.copies.Reset()
	d.known, d.addrs, d.paths = false, d.addrs[:0], d.paths[:0]
	d.task.ExePath, d.task.Named, d.task.Cgroups = nil, nil, [len(d.task.Cgroups)][]byte{}
	for len(b) >= areaSize {
		addr, n, kind, marks := u64(b), int(u32(b[8:])), b[12], b[13]
		b = b[areaSize:]
		if n > len(b) {
			return false
		}
		d.area(kind, marks, addr, b[:n:n])
		b = b[min((n+7)&^7, len(b)):]
	}
	return len(b) == 0
}

func (d *decoder) area(kind, marks byte, addr uint64, b []byte) {
	switch {
	case kind == areaMemory && len(b) > 0:
		d.copies.Memory = append(d.copies.Memory, tracer.CopiedMemory{Addr: addr, Data: b})
	case kind == areaFile && len(b) == fileSize:
		const created = 0x100000 // FMODE_CREATED of include/linux/fs.h
		d.copies.Files = append(d.copies.Files, tracer.CopiedFile{
			FD: int(addr), Ino: u64(b), Dev: device(u32(b[8:])), Created: u32(b[12:])&created != 0,
			Upper: u32(b[16:])&inUpper != 0, Lower: u32(b[16:])&inLower != 0,
		})
	case kind == areaSocket && len(b) == socketSize:
		d.socket(int(addr), b)
	case kind == areaTask && len(b) == taskSize:
		d.facts(b)
	case kind == areaPath && int64(addr) == -1:
		d.task.ExePath = d.path(b, marks)
	case kind == areaPath:
		d.copies.Paths = append(d.copies.Paths, tracer.CopiedPath{FD: int(addr), Path: d.path(b, marks)})
	case kind == areaCgroup && addr < uint64(len(d.task.Cgroups)):
		d.task.Cgroups[addr] = d.path(b, marks)
	case kind == areaProgram:
		d.task.Named, _, _ = bytes.Cut(b, []byte{0})
	case kind == areaSizes && len(b) == sizesSize:
		d.copies.Sizes = sizesOf(b)
	}
}

// device is the number of a device as user space has it, of the kernel's: 12 bits, 20
// bits.
func device(dev uint32) uint64 { return unix.Mkdev(dev>>20, dev&0xfffff) }

func (d *decoder) socket(fd int, b []byte) {
	family, typ := u16(b[8:]), u16(b[10:])
	s := tracer.CopiedSocket{
		FD: fd, Ino: u64(b), Packets: typ == unix.SOCK_DGRAM || typ == unix.SOCK_RAW, Raw: typ == unix.SOCK_RAW,
		Queue: u32(b[48:]), Max: u32(b[52:]),
	}
	switch family {
	case unix.AF_INET, unix.AF_INET6:
		n := 4
		if family == unix.AF_INET6 {
			n = 16
		}
		s.Local = d.address(family, [2]byte(b[12:]), b[16:16+n])
		if u16(b[14:]) != 0 {
			s.Peer = d.address(family, [2]byte(b[14:]), b[32:32+n])
		}
	case unix.AF_UNIX:
		s.Local = d.name(u32(b[56:]), b[64:64+112])
		if u16(b[14:]) != 0 {
			s.Peer = d.name(u32(b[60:]), b[64+112:])
		}
	default:
		s.Local = d.keep(binary.NativeEndian.AppendUint16(nil, family))
	}
	d.copies.Sockets = append(d.copies.Sockets, s)
}

// keep copies what stays until the next record.
func (d *decoder) keep(b []byte) []byte {
	at := len(d.addrs)
	d.addrs = append(d.addrs, b...)
	return d.addrs[at:len(d.addrs):len(d.addrs)]
}

func (d *decoder) address(family uint16, port [2]byte, addr []byte) []byte {
	var b [28]byte
	return d.keep(tracer.CopiedAddress(b[:0], family, port, addr))
}

// name is the address of a unix socket, which may have none.
func (d *decoder) name(n uint32, b []byte) []byte {
	if n < 2 || int(n) > len(b) {
		var none [2]byte
		binary.NativeEndian.PutUint16(none[:], unix.AF_UNIX)
		return d.keep(none[:])
	}
	return d.keep(b[:n])
}

// sizesOf are those of memory, which the kernel has in pages.
func sizesOf(b []byte) tracer.Sizes {
	page := uint64(os.Getpagesize())
	size := func(n int) uint32 { return uint32(u64(b[8*n:]) * page >> 10) }
	return tracer.Sizes{VM: size(0), RSS: size(1), Swap: size(2)}
}

// Marks of an executable, of struct task_facts; of other files only those of layers.
const (
	exeReadOnly = 1 << iota
	inUpper
	inLower
)

func (d *decoder) facts(b []byte) {
	d.known = true
	w := b[10*8+sizesSize:]
	number := func(n int) uint64 { return u64(b[8*n:]) }
	small := func(n int) uint32 { return u32(w[4*n:]) }
	id := func(n int) int { return int(int32(small(n))) }
	f := &d.task
	f.CapInh, f.CapPrm, f.CapEff = number(0), number(1), number(2)
	f.FDLimit, f.MinFlt, f.MajFlt, f.NSStart = number(6), number(7), number(8), number(9)
	f.Sizes = sizesOf(b[10*8:])
	marks := small(5)
	f.Exe = tracer.ExeFacts{
		Ino: number(3), Ctime: number(4), Mtime: number(5), Dev: device(small(0)), Links: small(1),
		UID: small(2), GID: small(3), Mode: uint16(small(4)),
		ReadOnly: marks&exeReadOnly != 0, Upper: marks&inUpper != 0, Lower: marks&inLower != 0,
	}
	f.Parent, f.PGID, f.VPGID, f.VPID, f.VTID = id(6), id(7), id(8), id(9), id(10)
	f.Nested, f.Apart = small(11) > 0, small(12) != 0
	f.TTY, f.LoginUID, f.UID, f.GID = small(13), small(14), small(15), small(16)
	f.Comm, _, _ = bytes.Cut(w[18*4:], []byte{0})
	d.copies.Task = f
}

// Marks of a path.
const (
	pathDeleted = 1 << iota
	pathPseudo
	pathCut
)

// path puts the names of a path, the last first, each with a NUL, into their order.
// It is nil if the path is longer than that.
func (d *decoder) path(names []byte, marks byte) []byte {
	if marks&pathCut != 0 {
		return nil
	}
	from := len(d.paths)
	for names = bytes.TrimSuffix(names, []byte{0}); len(names) > 0; {
		at := bytes.LastIndexByte(names, 0)
		d.paths = append(append(d.paths, '/'), names[at+1:]...)
		names = names[:max(at, 0)]
	}
	switch {
	case len(d.paths) == from && marks == 0:
		d.paths = append(d.paths, '/')
	case marks != 0: // files in memory are as deleted ones
		d.paths = append(d.paths, " (deleted)"...)
	}
	return d.paths[from:len(d.paths):len(d.paths)]
}
