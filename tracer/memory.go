package tracer

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// memory reads the address space of a process through /proc/PID/mem, which is
// kept open until the next exec. After a change of user only a descriptor that is
// open already works. process_vm_readv waits for whoever handles the faults of the
// memory (see [served]): it is for where there is no such file, and for the first
// few reads while nobody handles faults. Many processes only live for an exec,
// and to open and close the file costs more than those reads. Where both are refused
// (a process that has changed its user, a filter and no /proc) a stopped thread is
// still asked word by word.
type memory struct {
	fd     int // one more than the descriptor; 0: not opened
	pages  int // the same of /proc/PID/pagemap
	pid    int
	tried  bool    // and could not be opened
	hidden bool    // nor does process_vm_readv work
	user   bool    // the program has changed its user: another descriptor may be refused
	fresh  bool    // the program has not run yet, so nobody handles faults
	direct int     // reads to come without the file
	still  int     // a thread of the process that stands still, or did last
	maps   int     // one more than /proc/PID/maps, while reading as the program could
	served *served // nil: nothing is served
	copies *Copies // nil, or all that there is: the process itself is not looked at
}

// directReads is how many reads of a new address space go without the file.
const directReads = 8

func (m *memory) close() {
	for _, fd := range [2]int{m.fd, m.pages} {
		if fd > 0 {
			unix.Close(fd - 1)
		}
	}
	m.fd, m.pages, m.tried, m.hidden, m.user = 0, 0, false, false, false
}

// share makes m the reader of the memory that from reads.
func (m *memory) share(from *memory) {
	if from.fd == 0 {
		return
	}
	if fd, err := unix.FcntlInt(uintptr(from.fd-1), unix.F_DUPFD_CLOEXEC, 0); err == nil {
		m.fd, m.user = fd+1, from.user
	}
}

// read fills buf from addr, as far as the memory is readable, and returns how
// many bytes that was.
func (m *memory) read(buf []byte, addr uint64) int {
	if m.copies != nil {
		return m.copies.read(buf, addr)
	}
	if m.served != nil && m.served.memory {
		buf = buf[:m.present(addr, len(buf))]
	}
	if m.fresh || m.direct > 0 && !m.served.locks {
		m.direct--
		n, errno := sys.ReadProcess(m.holder(), buf, addr)
		if n == len(buf) {
			return n
		}
		if refuses(errno) {
			m.direct = 0
		}
		// Refused here, or only a part is there: the file has the last word.
	}
	if m.maps > 0 {
		buf = buf[:m.permitted(addr, len(buf))]
	}
	m.open()
	if m.fd > 0 && int64(addr) >= 0 { // pread takes no negative offset
		n, _ := sys.Pread(m.fd-1, buf, addr)
		return n
	}
	if !m.hidden {
		n, errno := sys.ReadProcess(m.holder(), buf, addr)
		if !refuses(errno) {
			return n
		}
		m.hidden = true
	}
	return sys.Peek(m.still, buf, addr)
}

// holder is a thread that has the memory: a leader that has ended has none any more.
func (m *memory) holder() int {
	if m.still != 0 {
		return m.still
	}
	return m.pid
}

// admits reports whether the memory may be read, so that what cannot be is no memory
// for others.
func (m *memory) admits() bool { return m.copies == nil && (m.fd > 0 || !m.hidden) }

// refuses reports whether process_vm_readv is not for us, whatever the address:
// a filter of seccomp, a kernel without it, or another user.
func refuses(errno unix.Errno) bool {
	return errno == unix.EPERM || errno == unix.EACCES || errno == unix.ENOSYS
}

// open opens the file, unless it is open or cannot be opened.
func (m *memory) open() {
	if m.fd > 0 || m.tried {
		return
	}
	fd, err := unix.Open(procPath(m.holder(), "mem"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		m.tried = true
		return
	}
	m.fd = fd + 1
}

// asProgram makes reads find what the program could read itself: the kernel lets
// tracers look into memory without any access too.
func (m *memory) asProgram(b *procBuffer) {
	if fd, errno := sys.OpenPath(b.name(m.holder(), "maps"), unix.O_RDONLY|unix.O_CLOEXEC); errno == 0 {
		m.maps = fd + 1
	}
}

func (m *memory) asTracer() {
	if m.maps > 0 {
		unix.Close(m.maps - 1)
		m.maps = 0
	}
}

// permitted is how many of n bytes at addr are in mappings with any access; all
// where that is not told.
func (m *memory) permitted(addr uint64, n int) int {
	end := addr + uint64(n)
	if end < addr {
		return 0
	}
	var v sys.Mapping
	for at := addr; at < end; at = v.End {
		switch v.Get(m.maps-1, at) {
		case 0:
			if v.Start > at || v.Flags&sys.MappingPermissions == 0 {
				return int(at - addr)
			}
		case unix.ENOENT:
			return int(at - addr)
		default: // before 6.11
			return n
		}
	}
	return n
}

// full reports whether all of buf could be read.
func (m *memory) full(buf []byte, addr uint64) bool {
	return m.read(buf, addr) == len(buf)
}

var pageSize = uint64(os.Getpagesize())

// appendString appends the NUL-terminated string at addr, without its NUL and
// cut to limit bytes. It reads no byte of a page behind the one with the NUL.
// ok is false if no byte could be read; a string that runs into unreadable
// memory ends there.
func (m *memory) appendString(dst []byte, addr uint64, limit int) (_ []byte, ok bool) {
	start := len(dst)
	dst, whole := m.appendWhole(dst, addr, limit)
	return dst, whole || len(dst) > start
}

// appendWhole is appendString. whole is false if the string runs into
// unreadable memory.
func (m *memory) appendWhole(dst []byte, addr uint64, limit int) (_ []byte, whole bool) {
	if addr == 0 {
		return dst, false
	}
	for limit > 0 {
		n := int(min(pageSize-addr%pageSize, uint64(limit)))
		if m.hidden {
			n = min(n, peekAtOnce)
		}
		at := len(dst)
		dst = append(dst, zeros[:n]...)
		got := m.read(dst[at:], addr)
		if i := bytes.IndexByte(dst[at:at+got], 0); i >= 0 {
			return dst[:at+i], true
		}
		dst = dst[:at+got]
		if got < n {
			return dst, false
		}
		addr, limit = addr+uint64(n), limit-n
	}
	return dst, true
}

// peekAtOnce is how much of a string is read before its end is looked for.
const peekAtOnce = 64

// maxPath is PATH_MAX of the kernel: no longer path can be meant.
const maxPath = 4096

// zeros makes room in a slice without an allocation. Reads of tracee memory
// are at most a page of 4 KiB at a time, or of 64 KiB.
var zeros [1 << 16]byte
