package tracer

import (
	"bytes"
	"encoding/binary"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// openFlags are the flags of an open, that it has created the file, and in which layer
// that is, for readers that know those bits.
func openFlags(t *Tracer, th *thread, _ *syscalls.Param) {
	const (
		created          = 0x4000          // PPM_O_F_CREATED
		inUpper, inLower = 0x8000, 0x10000 // PPM_FD_UPPER_LAYER, PPM_FD_LOWER_LAYER
	)
	c := &th.call
	if copies := th.proc.mem.copies; copies != nil && c.ret >= 0 {
		_, c.creates = copies.file(int(c.ret))
	}
	arch, _ := number(c.arch, 0)
	v := syscalls.TransOpenFlags.Translate(arch, t.flagsOfOpen(th))
	if c.creates && c.ret >= 0 && t.specs.ceiling >= syscalls.CeilingC {
		v |= created
	}
	switch t.openLayer(th) {
	case upperLayer:
		v |= inUpper
	case lowerLayer:
		v |= inLower
	}
	t.enc.Int(4, v)
}

// creatFlags are in which layer the file of a creat is, in bits of their own
// (PPM_FD_UPPER_LAYER_CREAT, PPM_FD_LOWER_LAYER_CREAT).
func creatFlags(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(p.Type.Size(), uint64(t.openLayer(th)))
}

// flagsOfOpen are the native flags of a call of the open family.
func (t *Tracer) flagsOfOpen(th *thread) uint64 {
	c := &th.call
	switch c.spec.enter {
	case enterOpen:
		return c.args[1]
	case enterOpenat2:
		var flags [8]byte // struct open_how begins with them
		th.proc.mem.full(flags[:], c.args[2])
		return binary.LittleEndian.Uint64(flags[:])
	}
	return c.args[2]
}

// Enter codes of the open family.
const (
	enterOpen    = 2
	enterOpenat  = 306
	enterOpenat2 = 326
	enterCreat   = 58
)

// willCreate notes, at the entry of an open, whether it would create the file.
// The kernel does not tell afterwards.
func (t *Tracer) willCreate(th *thread) {
	c := &th.call
	at, dirfd, ok := c.nameOfOpen()
	if !ok || c.spec.enter == enterCreat {
		return
	}
	flags := t.flagsOfOpen(th)
	if flags&unix.O_CREAT == 0 {
		return
	}
	if c.creates = flags&unix.O_EXCL != 0; c.creates || th.proc.mem.copies != nil {
		return
	}
	var st unix.Stat_t
	name, known := c.string(at)
	c.creates = known && t.served.statPath(t.seenBy(th, dirfd, name), &st) == unix.ENOENT
}

// nameOfOpen is where a call of the open family has its name, and what a
// relative one is relative to.
func (c *call) nameOfOpen() (at uint8, dirfd int32, ok bool) {
	switch c.spec.enter {
	case enterOpen, enterCreat:
		return 0, unix.AT_FDCWD, true
	case enterOpenat, enterOpenat2:
		return 1, int32(c.args[0]), true
	}
	return 0, 0, false
}

// trueName is for the name of an open that was read when the call had ended.
// The program has had time to write another one; then the path of the
// descriptor takes its place.
func (t *Tracer) trueName(th *thread) {
	c := &th.call
	at, dirfd, _ := c.nameOfOpen()
	var named unix.Stat_t
	if name, ok := c.string(at); ok {
		opened := t.openedFile(th, int(c.ret))
		if t.served.statPath(t.seenBy(th, dirfd, name), &named) == 0 && named.Dev == opened.Dev && named.Ino == opened.Ino {
			return
		}
	}
	link := append(appendProc(t.scratch[:0], th.tid), "/fd/"...)
	link = append(strconv.AppendInt(link, c.ret, 10), 0)
	from := len(c.text)
	c.text = append(c.text, zeros[:maxPath-1]...)
	n, errno := sys.ReadLink(link, c.text[from:])
	if errno != 0 {
		n = 0
	}
	c.text = c.text[:from+n]
	c.texts[at] = extent{off: uint16(from), len: uint16(n), ok: n > 0, whole: n > 0}
}

// resolvedName is trueName of what was copied: a name that does not lead to the path that the
// kernel has found, without a look at the file system, is not told.
func (th *thread) resolvedName() {
	c, copies := &th.call, th.proc.mem.copies
	at, dirfd, _ := c.nameOfOpen()
	file, _ := bytes.CutSuffix(copies.path(c.ret), []byte(" (deleted)"))
	if len(file) == 0 {
		return
	}
	if name, ok := c.string(at); ok {
		full := string(name)
		if !path.IsAbs(full) {
			full = path.Join(string(copies.path(int64(dirfd))), full)
		}
		if path.Clean(full) == string(file) {
			return
		}
	}
	c.takeName(at, file)
}

// takeName has a call tell a path as the string at an argument, of which that the program had
// in its memory need not be what the kernel has read.
func (c *call) takeName(at uint8, path []byte) {
	from := len(c.text)
	c.text = append(c.text, path[:min(len(path), maxPath-1)]...)
	c.texts[at] = extent{off: uint16(from), len: uint16(len(c.text) - from), ok: true, whole: true}
}

// seenBy is the NUL-terminated path of a file as the tracer finds it that th
// names relative to dirfd.
func (t *Tracer) seenBy(th *thread, dirfd int32, name []byte) []byte {
	path := appendProc(t.scratch[:0], th.tid)
	switch {
	case len(name) > 0 && name[0] == '/':
		path = append(path, "/root"...)
	case dirfd == unix.AT_FDCWD:
		path = append(path, "/cwd/"...)
	default:
		path = append(strconv.AppendInt(append(path, "/fd/"...), int64(dirfd), 10), '/')
	}
	return append(append(path, name...), 0)
}

// openMode is the mode of an open: argument A, if the flags in argument B can
// create a file.
func openMode(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	t.mode(c, c.args[p.Source.A], c.args[p.Source.B])
}

// howMode is the mode of an openat2, from struct open_how: flags, mode, resolve.
func howMode(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	var how [16]byte
	if !th.proc.mem.full(how[:], c.args[2]) {
		t.enc.Int(4, 0)
		return
	}
	t.mode(c, binary.LittleEndian.Uint64(how[8:]), binary.LittleEndian.Uint64(how[:]))
}

func (t *Tracer) mode(c *call, mode, flags uint64) {
	if flags&(unix.O_CREAT|unix.O_TMPFILE) == 0 {
		mode = 0
	}
	arch, _ := number(c.arch, 0)
	t.enc.Int(4, syscalls.TransOpenModes.Translate(arch, mode))
}

// openedFile describes the file behind descriptor fd of th, as of the end of
// its call. It returns nil if there is none or it may not be looked at.
func (t *Tracer) openedFile(th *thread, fd int) *unix.Stat_t {
	c := &th.call
	if fd < 0 {
		return nil
	}
	if c.fileFor != fd {
		c.fileFor = fd
		if copies := th.proc.mem.copies; copies != nil {
			c.file, _ = copies.file(fd)
			return &c.file
		}
		path := append(appendProc(t.scratch[:0], th.tid), "/fd/"...)
		path = strconv.AppendInt(path, int64(fd), 10)
		path = append(path, 0)
		c.file = t.knownFile(path)
	}
	return &c.file
}

// knownFile tells device and inode number of a file behind a link of /proc,
// which are known without asking its server.
func (t *Tracer) knownFile(link []byte) (st unix.Stat_t) {
	var stx unix.Statx_t
	switch sys.Statx(link, unix.STATX_INO, &stx) {
	case 0:
		st.Dev, st.Ino = unix.Mkdev(stx.Dev_major, stx.Dev_minor), stx.Ino
	case unix.ENOSYS: // before 4.11
		if t.served.statPath(link, &st) != 0 {
			st = unix.Stat_t{}
		}
	}
	return st
}

// fdDev is the device of the file that the call has opened, 0 for descriptor 0:
// that is how Falco's drivers have it.
func fdDev(t *Tracer, th *thread, _ *syscalls.Param) {
	dev := uint32(0)
	if st := t.openedFile(th, int(th.call.ret)); st != nil && th.call.ret > 0 {
		dev = deviceNumber(uint64(st.Dev))
	}
	t.enc.Int(4, uint64(dev))
}

// deviceNumber is the kernel's 32-bit encoding of a device (new_encode_dev).
func deviceNumber(dev uint64) uint32 {
	major, minor := unix.Major(dev), unix.Minor(dev)
	return minor&0xff | major<<8 | minor&^0xff<<12
}

// fdIno is the inode number of the file that the call has opened, 0 as [fdDev].
func fdIno(t *Tracer, th *thread, _ *syscalls.Param) {
	ino := uint64(0)
	if st := t.openedFile(th, int(th.call.ret)); st != nil && th.call.ret > 0 {
		ino = st.Ino
	}
	t.enc.Int(8, ino)
}

// pipeFD is descriptor A of the two that a pipe call has written, -1 if it
// has failed.
func pipeFD(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(8, uint64(int64(writtenFD(th, th.call.args[0], int(p.Source.A)))))
}

// writtenFD is descriptor i of those that a call has written at addr, -1 if it
// has failed.
func writtenFD(th *thread, addr uint64, i int) int {
	var fds [8]byte
	if th.call.ret != 0 || !th.proc.mem.full(fds[:], addr) {
		return -1
	}
	return int(int32(binary.LittleEndian.Uint32(fds[4*i:])))
}

// pipeIno is the inode number of a new pipe.
func pipeIno(t *Tracer, th *thread, _ *syscalls.Param) {
	ino := uint64(0)
	if st := t.openedFile(th, writtenFD(th, th.call.args[0], 0)); st != nil {
		ino = st.Ino
	}
	t.enc.Int(8, ino)
}
