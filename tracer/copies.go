package tracer

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Copies are what somebody else has copied of a call while it was carried out:
// memory of the program, and what the kernel knows of its descriptors. The encoders
// take them for the program itself.
type Copies struct {
	Memory  []CopiedMemory
	Files   []CopiedFile
	Sockets []CopiedSocket
	Paths   []CopiedPath
	Sizes   Sizes
	Task    *TaskFacts // of the process that has made the call; nil: nobody has looked
}

// Sizes are those of the memory of a process, kB.
type Sizes struct{ VM, RSS, Swap uint32 }

// CopiedPath is the path that the kernel knows of a descriptor.
type CopiedPath struct {
	FD   int
	Path []byte // nil: too long
}

// CopiedMemory is a piece of the memory of a program.
type CopiedMemory struct {
	Addr uint64
	Data []byte
}

// CopiedFile is the file behind a descriptor.
type CopiedFile struct {
	FD       int
	Dev, Ino uint64 // Dev as unix.Mkdev has it
	Created  bool   // by the open that has opened it

	Upper, Lower bool // in which layer of an overlay file system it is
}

// CopiedSocket is the socket behind a descriptor.
type CopiedSocket struct {
	FD          int
	Local, Peer []byte // addresses as the kernel has them; Peer nil if there is none
	Ino         uint64
	Packets     bool   // each has an address of its own
	Raw         bool   // it is below the protocols with ports
	Queue, Max  uint32 // of connections to be accepted
}

// Reset makes c empty, and keeps its memory.
func (c *Copies) Reset() {
	*c = Copies{Memory: c.Memory[:0], Files: c.Files[:0], Sockets: c.Sockets[:0], Paths: c.Paths[:0]}
}

// read fills buf with what was copied from addr on, as far as that goes without a
// gap, and returns how many bytes that was.
func (c *Copies) read(buf []byte, addr uint64) int {
	n := 0
	for n < len(buf) {
		got := c.piece(buf[n:], addr+uint64(n))
		if got == 0 {
			break
		}
		n += got
	}
	return n
}

func (c *Copies) piece(buf []byte, addr uint64) (most int) {
	for i := range c.Memory {
		m := &c.Memory[i]
		if off := addr - m.Addr; addr >= m.Addr && off < uint64(len(m.Data)) {
			most = max(most, copy(buf, m.Data[off:]))
		}
	}
	return most
}

// file is what is known of descriptor fd: nothing as a rule.
func (c *Copies) file(fd int) (st unix.Stat_t, created bool) {
	for i := range c.Files {
		if f := &c.Files[i]; f.FD == fd {
			st.Dev, st.Ino = f.Dev, f.Ino
			return st, f.Created
		}
	}
	for i := range c.Sockets {
		if s := &c.Sockets[i]; s.FD == fd {
			st.Ino = s.Ino
		}
	}
	return st, false
}

// layer is that of the file behind descriptor fd.
func (c *Copies) layer(fd int) layer {
	for i := range c.Files {
		switch f := &c.Files[i]; {
		case f.FD != fd:
		case f.Upper:
			return upperLayer
		case f.Lower:
			return lowerLayer
		}
	}
	return noLayer
}

// path is nil where it is not known.
func (c *Copies) path(fd int64) []byte {
	for i := range c.Paths {
		if int64(c.Paths[i].FD) == fd {
			return c.Paths[i].Path
		}
	}
	return nil
}

func (c *Copies) socket(fd int) *CopiedSocket {
	for i := range c.Sockets {
		if c.Sockets[i].FD == fd {
			return &c.Sockets[i]
		}
	}
	return nil
}

// take fills e with what was copied of a socket.
func (e *endpoints) take(s *CopiedSocket) bool {
	if s == nil {
		return false
	}
	e.local = append(e.buf[0][:0], s.Local[:min(len(s.Local), len(e.buf[0]))]...)
	if s.Peer != nil {
		e.peer = append(e.buf[1][:0], s.Peer[:min(len(s.Peer), len(e.buf[1]))]...)
	}
	if family(e.local) == unix.AF_UNIX {
		e.ino = s.Ino
	}
	e.packets, e.raw = s.Packets, s.Raw
	return true
}

// CopiedAddress appends an address of the internet as the kernel has it: port in the
// order of the network.
func CopiedAddress(dst []byte, fam uint16, port [2]byte, addr []byte) []byte {
	dst = binary.NativeEndian.AppendUint16(dst, fam)
	dst = append(dst, port[:]...)
	if fam == unix.AF_INET6 {
		dst = append(dst, 0, 0, 0, 0)
		dst = append(dst, addr...)
		return append(dst, 0, 0, 0, 0)
	}
	dst = append(dst, addr...)
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
}
