package capture

// oldTail is the most that an entry of a process has behind its root in files
// of libs before 0.10: later ones put more in front of that.
const oldTail = 4 + 1 + 3*8

// process reads an entry of a list of processes of that version.
func (l *list) process(version int) *Process {
	if version >= 9 {
		l.begin(int64(l.u32()) - 4)
		defer l.end()
	}
	p := &Process{SID: -1, VPGID: -1, VTID: -1, VPID: -1, PGID: -1, LoginUID: ^uint32(0)}
	p.TID, p.PID, p.PTID = l.i64(), l.i64(), l.i64()
	if version >= 6 {
		p.SID = l.i64()
	}
	if version >= 8 {
		p.VPGID = l.i64()
	}
	p.Comm, p.Exe = l.name(), l.name()
	if version >= 7 {
		p.ExePath = l.name()
	}
	p.Args, p.Cwd = l.text(), l.name()
	p.FDLimit = l.i64()
	p.Flags, p.UID, p.GID = l.u32(), l.u32(), l.u32()
	if version >= 2 {
		p.VMSize, p.VMRSS, p.VMSwap = l.u32(), l.u32(), l.u32()
		p.MajorFaults, p.MinFaults = l.u64(), l.u64()
	}
	if version >= 3 {
		p.Env = l.text()
	}
	if version >= 4 {
		p.VTID, p.VPID, p.Cgroups = l.i64(), l.i64(), l.text()
	}
	if version >= 5 {
		p.Root = l.name()
	}
	if version >= 9 {
		l.tail(p)
	}
	return p
}

// tail reads what was added to the entries of version 9 later on: as much of it
// as there is.
func (l *list) tail(p *Process) {
	u64 := func(to *uint64) {
		if l.rest() >= 8 {
			*to = l.u64()
		}
	}
	u32 := func(to *uint32) {
		if l.rest() >= 4 {
			*to = l.u32()
		}
	}
	flag := func(to *bool) {
		if l.rest() >= 1 {
			*to = l.u8() != 0
		}
	}
	if l.rest() > oldTail {
		u64(&p.PIDNSStart)
		u32(&p.TTY)
	}
	u32(&p.LoginUID)
	flag(&p.ExeWritable)
	u64(&p.CapInheritable)
	u64(&p.CapPermitted)
	u64(&p.CapEffective)
	flag(&p.UpperLayer)
	u64(&p.ExeIno)
	u64(&p.ExeInoCtime)
	u64(&p.ExeInoMtim)
	flag(&p.MemFD)
	flag(&p.LowerLayer)
	if l.rest() >= 8 {
		p.PGID = l.i64()
	}
}

// fd reads a descriptor of a thread.
func (l *list) fd(tid int64, counted bool) *FD {
	if counted {
		l.begin(int64(l.u32()) - 4)
		defer l.end()
	}
	fd := &FD{TID: tid, Number: l.i64(), Ino: l.u64(), Type: FDType(l.u8())}
	switch fd.Type {
	case FDIPv4:
		l.connection(fd, l.addr4)
	case FDIPv6:
		l.connection(fd, l.addr6)
	case FDIPv4Listen:
		l.listening(fd, l.addr4)
	case FDIPv6Listen:
		l.listening(fd, l.addr6)
	case FDUnix:
		fd.Sockets[0], fd.Sockets[1] = l.u64(), l.u64()
		fd.Name = l.name()
	case FDFile2:
		fd.Flags, fd.Name = l.u32(), l.name()
		if counted && l.rest() >= 4 {
			fd.Dev = l.u32()
		}
	case FDUnknown:
	default:
		switch {
		case fd.Type < numFDTypes:
			fd.Name = l.name()
		case counted:
			fd.Type = FDUnsupported
		case l.err == nil:
			l.err = errKind // nobody knows how long it is
		}
	}
	return fd
}
