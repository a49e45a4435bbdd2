package tracer

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// mountFlags are the flags of a mount without the magic number of old programs.
func mountFlags(t *Tracer, th *thread, p *syscalls.Param) {
	v := th.call.args[3]
	if v&unix.MS_MGC_MSK == unix.MS_MGC_VAL {
		v &^= unix.MS_MGC_MSK
	}
	t.enc.Int(p.Type.Size(), v)
}

// unsigned is an argument of which the kernel takes an unsigned int, though the parameter
// is wider: what is above it chooses nothing.
func unsigned(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(p.Type.Size(), uint64(uint32(th.call.args[p.Source.A])))
}

// mknodMode is the mode of a new node with its file type, a regular file if
// the call names none.
func mknodMode(t *Tracer, th *thread, p *syscalls.Param) {
	mode := th.call.args[p.Source.A]
	v := syscalls.TransChmodMode.Translate(abis[0].arch, mode) | mode&unix.S_IFMT
	if mode&unix.S_IFMT == 0 {
		v |= unix.S_IFREG
	}
	t.enc.Int(p.Type.Size(), v)
}

// mknodDev is the device of a new node, split as the driver splits it: by the
// kernel's internal macros.
func mknodDev(t *Tracer, th *thread, p *syscalls.Param) {
	dev := uint32(th.call.args[p.Source.A])
	major, minor := dev>>20, dev&0xfffff
	t.enc.Int(p.Type.Size(), uint64(minor&0xff|major<<8|minor&^0xff<<12))
}

// fdPath is the path of the file that the call has opened.
func fdPath(t *Tracer, th *thread, _ *syscalls.Param) {
	if th.call.ret < 0 {
		t.string(nil, false)
		return
	}
	if copies := th.proc.mem.copies; copies != nil {
		path := copies.path(th.call.ret)
		t.string(path, path != nil)
		return
	}
	link := append(appendProc(t.scratch[:0], th.tid), "/fd/"...)
	link = append(strconv.AppendInt(link, th.call.ret, 10), 0)
	path := link[len(link) : len(link)+maxPath]
	n, errno := sys.ReadLink(link, path)
	if errno != 0 {
		n = 0
	}
	t.string(path[:n], errno == 0)
}

// bpfResult is the result of a bpf call as the oldest readers have it: a
// descriptor of the commands that open one, else an error code.
func bpfResult(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	selector := uint64(1)
	switch uint32(c.args[0]) {
	case unix.BPF_MAP_CREATE, unix.BPF_PROG_LOAD, unix.BPF_OBJ_GET, unix.BPF_PROG_GET_FD_BY_ID,
		unix.BPF_MAP_GET_FD_BY_ID, unix.BPF_RAW_TRACEPOINT_OPEN, unix.BPF_BTF_LOAD, unix.BPF_BTF_GET_FD_BY_ID:
		if c.ret >= 0 {
			selector = 0
		}
	}
	t.dyn(selector, 8, uint64(c.ret))
}

// Commands of fsconfig, uapi/linux/mount.h.
const (
	fsconfigSetString    = 1
	fsconfigSetBinary    = 2
	fsconfigSetPath      = 3
	fsconfigSetPathEmpty = 4
)

// fsBytes is the value of an fsconfig that sets bytes.
func fsBytes(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	if c.ret < 0 || c.args[1] != fsconfigSetBinary {
		t.enc.Empty()
		return
	}
	t.data(th, c.args[3], int64(c.args[4]&0xffffffff))
}

// fsString is the value of an fsconfig that sets a string or a path.
func fsString(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	switch c.args[1] {
	case fsconfigSetString, fsconfigSetPath, fsconfigSetPathEmpty:
		if c.ret >= 0 {
			t.string(th.proc.mem.appendString(t.scratch[:0], c.args[3], maxPath-1))
			return
		}
	}
	t.string(nil, false)
}

// prctlString is the name that prctl sets or gets.
func prctlString(t *Tracer, th *thread, _ *syscalls.Param) {
	c := &th.call
	switch c.args[0] {
	case unix.PR_SET_NAME, unix.PR_GET_NAME:
		t.string(th.proc.mem.appendString(t.scratch[:0], c.args[1], maxPath-1))
	default:
		t.string(nil, false)
	}
}

// prctlNumber is the second argument of prctl where it is a number.
func prctlNumber(t *Tracer, th *thread, p *syscalls.Param) {
	c := &th.call
	v := c.args[1]
	switch c.args[0] {
	case unix.PR_SET_NAME, unix.PR_GET_NAME:
		v = 0
	case unix.PR_GET_CHILD_SUBREAPER:
		var b [4]byte
		th.proc.mem.full(b[:], v)
		v = uint64(int64(int32(binary.LittleEndian.Uint32(b[:]))))
	}
	t.enc.Int(p.Type.Size(), v)
}

// Operations of keyctl whose arguments are not numbers: bit N of strings says
// that argument N is a string, bit N of numbers that it is used at all.
var keyOperations = map[uint64]struct{ numbers, strings uint8 }{
	unix.KEYCTL_GET_KEYRING_ID:       {numbers: 1<<1 | 1<<2},
	unix.KEYCTL_JOIN_SESSION_KEYRING: {strings: 1 << 1},
	unix.KEYCTL_UPDATE:               {numbers: 1<<1 | 1<<2 | 1<<3},
	unix.KEYCTL_REVOKE:               {numbers: 1 << 1},
	unix.KEYCTL_CHOWN:                {numbers: 1<<1 | 1<<2 | 1<<3},
	unix.KEYCTL_SETPERM:              {numbers: 1<<1 | 1<<2},
	unix.KEYCTL_DESCRIBE:             {numbers: 1<<1 | 1<<2 | 1<<3},
	unix.KEYCTL_CLEAR:                {numbers: 1 << 1},
	unix.KEYCTL_LINK:                 {numbers: 1<<1 | 1<<2},
	unix.KEYCTL_UNLINK:               {numbers: 1<<1 | 1<<2},
	unix.KEYCTL_SEARCH:               {numbers: 1<<1 | 1<<4, strings: 1<<2 | 1<<3},
	unix.KEYCTL_READ:                 {numbers: 1<<1 | 1<<2 | 1<<3},
	unix.KEYCTL_INSTANTIATE:          {numbers: 1<<1 | 1<<2 | 1<<3 | 1<<4},
	unix.KEYCTL_NEGATE:               {numbers: 1<<1 | 1<<2 | 1<<3},
	unix.KEYCTL_SET_REQKEY_KEYRING:   {numbers: 1 << 1},
	unix.KEYCTL_SET_TIMEOUT:          {numbers: 1<<1 | 1<<2},
	unix.KEYCTL_ASSUME_AUTHORITY:     {numbers: 1 << 1},
	unix.KEYCTL_GET_SECURITY:         {numbers: 1<<1 | 1<<2 | 1<<3},
	unix.KEYCTL_SESSION_TO_PARENT:    {},
	unix.KEYCTL_REJECT:               {numbers: 1<<1 | 1<<2 | 1<<3 | 1<<4},
	unix.KEYCTL_INVALIDATE:           {numbers: 1 << 1},
	unix.KEYCTL_GET_PERSISTENT:       {numbers: 1<<1 | 1<<2},
}

// keyArgument is argument A of keyctl: a string or a number as the operation
// has it, 0 where it has none.
func keyArgument(t *Tracer, th *thread, p *syscalls.Param) {
	c, n := &th.call, p.Source.A
	op, known := keyOperations[c.args[0]&0xffffffff]
	if op.strings>>n&1 != 0 {
		if text, ok := th.proc.mem.appendString(t.scratch[:0], c.args[n], maxPath-1); ok {
			t.enc.Open()
			t.enc.AppendInt(1, 1)
			t.enc.Append(append(text, 0))
			t.enc.Close()
			return
		}
	}
	v := uint64(0)
	if !known || op.numbers>>n&1 != 0 {
		v = c.args[n]
		if v>>32 == 0 { // no pointer; the special keyrings are negative ints
			v = uint64(int64(int32(v)))
		}
	}
	t.dyn(0, 8, v)
}
