package tracer

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

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
		path := append(t.scratch[:0], "/proc/"...)
		path = strconv.AppendInt(path, int64(th.tid), 10)
		path = append(path, "/fd/"...)
		path = strconv.AppendInt(path, int64(fd), 10)
		path = append(path, 0)
		if sys.StatPath(path, &c.file) != 0 {
			c.file = unix.Stat_t{}
		}
	}
	return &c.file
}

// fdDev is the device of the file that the call has opened.
func fdDev(t *Tracer, th *thread, _ *syscalls.Param) {
	dev := uint32(0)
	if st := t.openedFile(th, int(th.call.ret)); st != nil {
		dev = deviceNumber(uint64(st.Dev))
	}
	t.enc.Int(4, uint64(dev))
}

// deviceNumber is the kernel's 32-bit encoding of a device (new_encode_dev).
func deviceNumber(dev uint64) uint32 {
	major, minor := unix.Major(dev), unix.Minor(dev)
	return minor&0xff | major<<8 | minor&^0xff<<12
}

// fdIno is the inode number of the file that the call has opened.
func fdIno(t *Tracer, th *thread, _ *syscalls.Param) {
	ino := uint64(0)
	if st := t.openedFile(th, int(th.call.ret)); st != nil {
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
