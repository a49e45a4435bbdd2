package tracer

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// vtid is the tid of th in its own pid namespace.
func vtid(t *Tracer, th *thread, p *syscalls.Param) {
	tid := th.tid
	switch {
	case th.vtid != 0:
		tid = th.vtid
	case !th.proc.nested:
	case tid == th.proc.pid:
		tid = th.proc.vpid
	default:
		tid = innerPID(tid, &t.proc)
	}
	t.enc.Int(p.Type.Size(), uint64(int64(tid)))
}

// cloneFlags are Falco's flags of a clone: those of the call, that the child is
// in another pid namespace, and that it has lived before.
func cloneFlags(t *Tracer, th *thread, _ *syscalls.Param) {
	const (
		active       = 1 << 19 // PPM_CL_ACTIVE
		childInPIDNS = 1 << 29 // PPM_CL_CHILD_IN_PIDNS
	)
	flags := syscalls.TransCloneFlags.Translate(abis[0].arch, th.call.flags)
	if th.proc.nested || th.proc.childNested {
		flags |= childInPIDNS
	}
	if th.announced {
		flags |= active
	}
	t.enc.Int(4, flags)
}

// fdLimit is how many descriptors th may have. It is asked for at every birth
// and exec, since programs change it. Of another user only /proc tells, unless
// the tracer has CAP_SYS_RESOURCE.
func fdLimit(t *Tracer, th *thread, p *syscalls.Param) {
	if th.proc.mem.copies != nil && th.proc.limit != 0 {
		t.enc.Int(p.Type.Size(), th.proc.limit)
		return
	}
	if unix.Prlimit(th.proc.pid, unix.RLIMIT_NOFILE, nil, &t.limit) != nil {
		t.limit.Cur = maxOpenFiles(t.proc.read(th.proc.pid, "limits"))
	}
	t.enc.Int(p.Type.Size(), t.limit.Cur)
}

// maxOpenFiles finds the soft limit in the content of /proc/PID/limits.
func maxOpenFiles(limits []byte) uint64 {
	for line := range bytes.Lines(limits) {
		rest, ok := bytes.CutPrefix(line, []byte("Max open files"))
		if f := bytes.Fields(rest); ok && len(f) > 0 {
			return decimal(f[0])
		}
	}
	return 0
}

// args are the arguments behind the first.
func args(t *Tracer, th *thread, _ *syscalls.Param) {
	if !th.failedExec() {
		t.enc.Bytes(th.proc.args)
		return
	}
	_, rest := t.asked.args.first()
	t.enc.Bytes(rest)
}

// exe is argument zero. It is the first of what a record has of a failed exec's
// lists, which are those that the call has asked for.
func exe(t *Tracer, th *thread, _ *syscalls.Param) {
	if !th.failedExec() {
		t.enc.String(th.proc.exe)
		return
	}
	t.readAsked(th)
	first, _ := t.asked.args.first()
	t.enc.String(first)
}

// environment is the environment, of a failed exec the one asked for.
func environment(t *Tracer, th *thread, _ *syscalls.Param) {
	if !th.failedExec() {
		t.enc.Bytes(th.proc.env)
		return
	}
	t.enc.Bytes(t.asked.env.strings)
}

func (th *thread) failedExec() bool {
	c := &th.call
	return c.spec.kind == kindExec && c.ret < 0
}

// readAsked reads the lists of the exec that th has called.
func (t *Tracer) readAsked(th *thread) {
	a, l := &t.asked, t.proc.lists
	at := pathArg(th.call.spec.enter) + 1
	pointers, width := th.call.args[at:at+2], th.call.wordSize()
	a.args = th.proc.mem.stringList(a.args.strings[:0], pointers[0], width, l)
	a.env = th.proc.mem.stringList(a.env.strings[:0], pointers[1], width, l)
	l.fit(&a.args, &a.env)
}

// stackEnvironment is the environment of th, which has executed a program that
// has not run yet: there the kernel has put it behind the arguments on the stack.
// Of a process of another user /proc does not tell where that is.
func (t *Tracer) stackEnvironment(th *thread) []byte {
	m := &th.proc.mem
	var b [8]byte
	if infoFromRegs(th, &t.in, sys.SyscallNone) != 0 {
		return nil
	}
	size := uint64(8)
	if narrow(t.in.Arch) {
		size = 4
	}
	if !m.full(b[:size], t.in.SP) {
		return nil
	}
	// The number of the arguments, the arguments, NULL.
	pointers := t.in.SP + size*(binary.LittleEndian.Uint64(b[:])+2)
	args, env := list{strings: th.proc.args}, m.stringList(nil, pointers, size, t.proc.lists)
	args.size = uint64(len(args.strings))
	t.proc.lists.fit(&args, &env)
	return env.strings
}

// filename is the path argument of an exec as the kernel has it.
func filename(t *Tracer, th *thread, _ *syscalls.Param) { t.string(t.filename(th)) }

func (t *Tracer) filename(th *thread) (path []byte, ok bool) {
	text, dirfd, ok := th.begunFrom()
	if !ok {
		return th.call.string(uint8(pathArg(th.call.spec.enter)))
	}
	path = strconv.AppendInt(append(t.scratch[:0], "/dev/fd/"...), int64(dirfd), 10) // fs/exec.c, alloc_bprm
	if len(text) > 0 {
		path = append(append(path, '/'), text...)
	}
	return path, true
}

// begunFrom tells of an execveat which descriptor its path begins from, if it does.
func (th *thread) begunFrom() (path []byte, dirfd int32, ok bool) {
	c := &th.call
	n := pathArg(c.spec.enter)
	path, known := c.string(uint8(n))
	dirfd = int32(c.args[0])
	return path, dirfd, n > 0 && known && (len(path) == 0 || path[0] != '/') && dirfd != unix.AT_FDCWD
}

// renamed is for after a prctl: the name of a process is that of its leader.
func (t *Tracer) renamed(th *thread) {
	if th.call.args[0] != unix.PR_SET_NAME {
		return
	}
	name := readName(th.tid, &t.proc)
	if th.tid != th.proc.pid {
		th.comm = name
		return
	}
	im := *th.proc.image
	im.comm = name
	th.proc.image = &im
}

// readName asks the kernel for the name of a thread.
func readName(tid int, b *procBuffer) []byte {
	return bytes.Clone(bytes.TrimSuffix(b.read(tid, "comm"), []byte("\n")))
}

// name is what a thread is called.
func (th *thread) name() []byte {
	if th.comm != nil {
		return th.comm
	}
	return th.proc.comm
}
