package tracer

import (
	"bytes"
	"cmp"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
)

// The files of /proc are read at the start and at an exec only: one of them
// costs as much as a whole stop. Everything else is inherited.

// appendProc appends the path of the directory of /proc that is about a process
// or thread.
func appendProc(path []byte, pid int) []byte {
	root, _ := procfs.Root()
	path = append(append(path, root...), '/')
	return strconv.AppendInt(path, int64(pid), 10)
}

// procPath is the path of a file of /proc/PID.
func procPath(pid int, file string) string {
	var b [64]byte
	return string(append(append(appendProc(b[:0], pid), '/'), file...))
}

// procBuffer is what a file of /proc is read into; longer ones are cut.
type procBuffer struct {
	path     [64]byte
	data     [1 << 14]byte
	overlays overlays
	lists    listLimits
}

// name builds the NUL-terminated path of a file of /proc/PID.
func (b *procBuffer) name(pid int, file string) []byte {
	path := append(appendProc(b.path[:0], pid), '/')
	path = append(path, file...)
	return append(path, 0)
}

// read returns the content of a file of /proc/PID until the next read, nil if
// there is none. The files that are read this way have one record, which the
// kernel gives in one piece.
func (b *procBuffer) read(pid int, file string) []byte {
	fd, errno := sys.OpenPath(b.name(pid, file), unix.O_RDONLY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil
	}
	defer unix.Close(fd)
	n, _ := sys.Pread(fd, b.data[:], 0)
	return b.data[:n]
}

// procStatus is what is needed of /proc/PID/status.
type procStatus struct {
	tgid, ppid, tracer     int
	nspid, nspgid          int    // in the innermost namespace, 0 if not told
	uid, gid               uint32 // effective
	realUID, savedUID      uint32
	realGID, savedGID      uint32
	vmsize, vmrss, vmswap  uint32 // kB
	capInh, capPrm, capEff uint64
	seccomp                int // 0 without a filter
}

// read reports whether there is such a process.
func (s *procStatus) read(pid int, b *procBuffer) bool {
	s.parse(b.read(pid, "status"))
	return s.tgid != 0
}

func (s *procStatus) parse(content []byte) {
	for line := range bytes.Lines(content) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch string(key) {
		case "Tgid":
			s.tgid = int(decimal(field(value, 0)))
		case "PPid":
			s.ppid = int(decimal(field(value, 0)))
		case "TracerPid":
			s.tracer = int(decimal(field(value, 0)))
		case "NSpid":
			s.nspid = int(decimal(lastField(value)))
		case "NSpgid":
			s.nspgid = int(decimal(lastField(value)))
		case "Uid":
			s.realUID = uint32(decimal(field(value, 0)))
			s.uid = uint32(decimal(field(value, 1)))
			s.savedUID = uint32(decimal(field(value, 2)))
		case "Gid":
			s.realGID = uint32(decimal(field(value, 0)))
			s.gid = uint32(decimal(field(value, 1)))
			s.savedGID = uint32(decimal(field(value, 2)))
		case "VmSize":
			s.vmsize = uint32(decimal(field(value, 0)))
		case "VmRSS":
			s.vmrss = uint32(decimal(field(value, 0)))
		case "VmSwap":
			s.vmswap = uint32(decimal(field(value, 0)))
		case "Seccomp":
			s.seccomp = int(decimal(field(value, 0)))
		case "CapInh":
			s.capInh = hex(field(value, 0))
		case "CapPrm":
			s.capPrm = hex(field(value, 0))
		case "CapEff":
			s.capEff = hex(field(value, 0))
		}
	}
}

// field is the nth of the fields of a line, from 0, nil if there are fewer.
func field(line []byte, n int) []byte {
	for f := range bytes.FieldsSeq(line) {
		if n == 0 {
			return f
		}
		n--
	}
	return nil
}

func lastField(line []byte) []byte {
	line = bytes.TrimRight(line, " \t\n")
	return line[bytes.LastIndexAny(line, " \t")+1:]
}

// vpid is the pid in the innermost namespace.
func (s *procStatus) vpid() int {
	if s.nspid == 0 {
		return s.tgid // a kernel before 4.1 or one without namespaces
	}
	return s.nspid
}

// decimal is a number, or 0 where there is none.
func decimal(b []byte) (n uint64) {
	for _, c := range b {
		digit := uint64(c - '0')
		if c < '0' || c > '9' || n > (1<<64-1-digit)/10 {
			return 0
		}
		n = 10*n + digit
	}
	return n
}

func hex(b []byte) uint64 {
	n, _ := strconv.ParseUint(string(b), 16, 64)
	return n
}

// innerPID is the number of tid in its own pid namespace, or tid if it cannot
// be known.
func innerPID(tid int, b *procBuffer) int {
	var s procStatus
	if !s.read(tid, b) {
		return tid
	}
	return s.vpid()
}

// numbers are those of a process or thread in all pid namespaces that it is in and the
// tracer sees, the tracer's first; none if they cannot be known.
func numbers(tid int, b *procBuffer) (ns []int) {
	for line := range bytes.Lines(b.read(tid, "status")) {
		if value, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			for f := range bytes.FieldsSeq(value) {
				ns = append(ns, int(decimal(f)))
			}
		}
	}
	return ns
}

// splitStat returns the command name of a /proc/PID/stat, which may hold any
// byte but ends at the last parenthesis, and the fields behind it: the first
// is field 3 of proc(5).
func splitStat(content []byte) (comm []byte, fields [][]byte) {
	end := bytes.LastIndexByte(content, ')')
	if start := bytes.IndexByte(content, '('); start >= 0 && start < end {
		comm = content[start+1 : end]
	}
	return comm, bytes.Fields(content[end+1:])
}

// statField returns field n of proc(5).
func statField(fields [][]byte, n int) uint64 {
	if n < 3 || n-3 >= len(fields) {
		return 0
	}
	return decimal(fields[n-3])
}

// userHZ is the unit of times in /proc/PID/stat, the same on every
// architecture that Go knows.
const userHZ = 100

// readImage looks at process p, which stands still. What cannot be known stays
// zero; from is the image that it had before, or nil.
func (p *process) readImage(b *procBuffer, from *image) *image {
	f := p.takeForesight(p.pid, b)
	im := &image{loginuid: f.loginuid, cgroups: f.cgroups}
	im.readStat(p, b)
	if from == nil || p.nested || !im.readCreds(p.pid, b) {
		im.readStatus(p.pid, b)
	}
	im.file = readExecutable(p, im, b)
	return im
}

func (im *image) readStat(p *process, b *procBuffer) {
	const ppid, minflt, majflt, argStart, argEnd, envStart, envEnd = 4, 10, 12, 48, 49, 50, 51
	comm, f := splitStat(b.read(p.pid, "stat"))
	im.comm = bytes.Clone(comm)
	if p.up == nil && len(f) > 0 { // nobody tells when such a parent ends
		p.parent = int(statField(f, ppid))
	}
	im.pgid, im.tty = jobOf(f)
	im.vpgid = im.pgid
	im.minflt, im.majflt = statField(f, minflt), statField(f, majflt)
	arg := [2]uint64{statField(f, argStart), statField(f, argEnd)}
	env := [2]uint64{statField(f, envStart), statField(f, envEnd)}
	args, environ := p.mem.strings(arg[0], arg[1], b.lists.bytes), p.mem.strings(env[0], env[1], b.lists.bytes)
	if len(args.strings) == 0 && p.mem.fresh { // of a file that may not be read, so the memory is hidden from us
		args.strings = bytes.Clone(b.read(p.pid, "cmdline"))
		args.size = max(args.size, uint64(len(args.strings)))
	}
	b.lists.fit(&args, &environ)
	im.exe, im.args = args.first()
	im.env, im.envEnd = environ.strings, env[1]
}

// jobOf is the process group and the terminal in a /proc/PID/stat.
func jobOf(stat [][]byte) (pgid int, tty uint32) {
	const pgrp, ttyNr = 5, 7
	return int(statField(stat, pgrp)), uint32(statField(stat, ttyNr))
}

// refresh is for after an exec of thread tid that has failed, whose record is about the program
// that runs on: what may have changed since that was executed, by calls of others too.
func (p *process) refresh(tid int, b *procBuffer) {
	f := p.takeForesight(tid, b)
	_, fields := splitStat(b.read(p.pid, "stat"))
	if len(fields) == 0 {
		return
	}
	pgid, tty := jobOf(fields)
	if im := p.image; pgid == im.pgid && tty == im.tty && f == (foresight{im.cgroups, im.loginuid}) {
		return
	}
	im := *p.image
	im.cgroups, im.loginuid, im.pgid, im.tty, im.vpgid = f.cgroups, f.loginuid, pgid, tty, pgid
	if p.nested {
		var s procStatus
		s.read(p.pid, b)
		im.vpgid = cmp.Or(s.nspgid, pgid)
	}
	p.image = &im
}

func (im *image) readStatus(pid int, b *procBuffer) {
	s := procStatus{uid: nobody, gid: nobody}
	s.read(pid, b)
	im.vmsize, im.vmrss, im.vmswap = s.vmsize, s.vmrss, s.vmswap
	im.creds = s.creds()
	im.vpgid = cmp.Or(s.nspgid, im.pgid)
}

// readCreds finds what readStatus does of a process in our own pid namespace
// that has just executed a program, when nothing of it is swapped out. It takes half
// the time. The directory belongs to the effective user and group,
// whatever others may see of the process (fs/proc/base.c, task_dump_owner).
func (im *image) readCreds(pid int, b *procBuffer) bool {
	var st unix.Stat_t
	path := append(appendProc(b.path[:0], pid), 0)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(pid)}
	var caps [2]unix.CapUserData
	if sys.StatPath(path, &st) != 0 || unix.Capget(&header, &caps[0]) != nil {
		return false
	}
	// The sizes in stat leave out what a CPU has counted lately: all, of a new
	// process.
	pages := b.read(pid, "statm")
	im.vmsize = uint32(decimal(field(pages, 0)) * pageSize >> 10)
	im.vmrss = uint32(decimal(field(pages, 1)) * pageSize >> 10)
	im.uid, im.gid = st.Uid, st.Gid
	im.capInh = uint64(caps[1].Inheritable)<<32 | uint64(caps[0].Inheritable)
	im.capPrm = uint64(caps[1].Permitted)<<32 | uint64(caps[0].Permitted)
	im.capEff = uint64(caps[1].Effective)<<32 | uint64(caps[0].Effective)
	return true
}

// nobody is the user, and the group, that is not known: 0 would be root.
const nobody = ^uint32(0)

func (s *procStatus) creds() creds {
	return creds{uid: s.uid, gid: s.gid, capInh: s.capInh, capPrm: s.capPrm, capEff: s.capEff}
}

// refreshCreds is for after a call that has changed who a process is.
func (p *process) refreshCreds(b *procBuffer) {
	var s procStatus
	if s.read(p.pid, b) {
		p.become(s.creds())
	}
}

func (p *process) become(c creds) {
	im := *p.image
	im.creds = c
	p.image = &im
}

// changedCreds is for after a call that has changed user, group or capabilities, which
// is that of one thread: a library has all others of the process make the same call.
func (t *Tracer) changedCreds(th *thread) {
	var s procStatus
	if !s.read(th.tid, &t.proc) {
		return
	}
	is, p := s.creds(), th.proc
	if th.tid != p.pid {
		th.own = &is
		return
	}
	if p.threads > 1 {
		was := p.creds
		for _, other := range t.table.threads {
			if other.proc == p && other != th && other.own == nil {
				other.own = &was
			}
		}
	}
	p.become(is)
}

// who is what th is.
func (th *thread) who() *creds {
	if th.own != nil {
		return th.own
	}
	return &th.proc.creds
}

// readExecutable looks at the file that a process executes.
func readExecutable(p *process, im *image, b *procBuffer) (x executable) {
	link := b.name(p.pid, "exe")
	n, errno := sys.ReadLink(link, b.data[:])
	if errno != 0 {
		return x
	}
	x.path = bytes.Clone(b.data[:n])
	var st unix.Statx_t
	if sys.Statx(link, layerMask, &st) != 0 {
		return x
	}
	x.dev, x.ino = unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino
	x.ctime, x.mtime = nanoseconds(st.Ctime), nanoseconds(st.Mtime)
	var fs unix.Statfs_t
	errno = p.mem.served.statFS(link, &fs)
	if errno == unix.EAGAIN && readOnly(mountOf(p.pid, st.Mnt_id)) { // this its server need not say
		fs.Flags |= unix.ST_RDONLY
	}
	if (errno == 0 || errno == unix.EAGAIN) && fs.Flags&unix.ST_RDONLY == 0 &&
		st.Attributes&unix.STATX_ATTR_IMMUTABLE == 0 && im.mayWrite(p.pid, st.Uid, st.Gid, st.Mode) {
		x.flags |= exeWritable
	}
	if fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		switch b.overlays.layer(p.pid, link, &st) {
		case upperLayer:
			x.flags |= exeUpperLayer
		case lowerLayer:
			x.flags |= exeLowerLayer
		}
	}
	if bytes.HasPrefix(x.path, []byte("/memfd:")) && st.Nlink == 0 { // else a file of that name
		x.flags |= exeFromMemfd
	}
	return x
}

// Falco's flags of an executable.
const (
	exeWritable   = 1
	exeUpperLayer = 2
	exeFromMemfd  = 4
	exeLowerLayer = 8
)

func nanoseconds(t unix.StatxTimestamp) uint64 {
	return uint64(t.Sec)*uint64(time.Second) + uint64(t.Nsec)
}

// mayWrite reports whether process pid, of that image, may change a file, as far as
// owner, permissions and capabilities tell.
func (im *image) mayWrite(pid int, uid, gid uint32, mode uint16) bool {
	switch {
	case uid == im.uid, im.overrides(pid, uid, gid):
		return true
	case gid == im.gid:
		return mode&unix.S_IWGRP != 0
	}
	return mode&unix.S_IWOTH != 0
}

// overrides reports whether the process has capabilities over a file of that owner and
// group: in a user namespace only over those of its own users (kernel/capability.c,
// privileged_wrt_inode_uidgid).
func (im *image) overrides(pid int, uid, gid uint32) bool {
	owns, writes := im.capEff>>unix.CAP_FOWNER&1 != 0, im.capEff>>unix.CAP_DAC_OVERRIDE&1 != 0
	if !owns && !writes {
		return false
	}
	return maps(pid, "uid_map", uid) && (owns || maps(pid, "gid_map", gid))
}

// maps reports whether the user namespace of a process has a user or group, as the
// tracer sees it, or nobody can tell.
func maps(pid int, file string, id uint32) bool {
	const inside, outside, count = 0, 1, 2
	content, err := os.ReadFile(procPath(pid, file))
	var own, its unix.Stat_t
	if err != nil || unix.Stat(userNS(pid), &its) != nil || unix.Stat(userNS(os.Getpid()), &own) != nil {
		return true
	}
	seen := outside
	if own.Ino == its.Ino {
		seen = inside
	}
	for line := range bytes.Lines(content) {
		if first := decimal(field(line, seen)); uint64(id) >= first && uint64(id)-first < decimal(field(line, count)) {
			return true
		}
	}
	return false
}
