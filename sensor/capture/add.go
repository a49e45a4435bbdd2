package capture

import (
	"encoding/binary"
	"net/netip"
)

// Bounds of libscap for names of users and for what may be longer than a path.
const (
	maxUser = 255
	maxText = 4096
)

// entry writes an entry into the list that it belongs to.
func (w *Writer) entry(e Entry) {
	switch e := e.(type) {
	case *Machine:
		w.begin(typeMachine)
		w.machine(e)
		w.end()
	case *Process:
		w.open(typeProcesses9)
		w.counted(4, func() { w.process(e) })
	case *FD:
		if w.list != typeFDs2 || w.thread != e.TID {
			w.begin(typeFDs2)
			w.u64(uint64(e.TID))
			w.thread = e.TID
		}
		w.counted(4, func() { w.fd(e) })
	case *User:
		w.open(typeUsers2)
		w.counted(4, func() {
			w.u8(kindUser)
			w.u32(e.UID)
			w.u32(e.GID)
			w.text(e.Name, maxUser)
			w.text(e.Home, maxUser)
			w.text(e.Shell, maxUser)
		})
	case *Group:
		w.open(typeUsers2)
		w.counted(4, func() {
			w.u8(kindGroup)
			w.u32(e.GID)
			w.text(e.Name, maxUser)
		})
	case *Interface:
		w.open(typeInterfaces2)
		w.counted(0, func() { w.network(e) })
	}
}

// open begins a list unless it is open.
func (w *Writer) open(typ uint32) {
	if w.list != typ {
		w.begin(typ)
	}
}

// counted writes the length of what body writes in front of it, itself included
// by that many bytes.
func (w *Writer) counted(itself int, body func()) {
	at := len(w.buf)
	w.u32(0)
	body()
	binary.NativeEndian.PutUint32(w.buf[at:], uint32(len(w.buf)-at-4+itself))
}

func (w *Writer) machine(m *Machine) {
	w.u32(m.CPUs)
	w.u64(m.Memory)
	w.u64(m.MaxPID)
	var host [128]byte
	copy(host[:len(host)-1], m.Host)
	w.buf = append(w.buf, host[:]...)
	for _, v := range [...]uint64{m.Boot, m.More[0], m.More[1], m.More[2]} {
		w.u64(v)
	}
}

// process writes an entry as libs before 0.10 do, which all readers understand:
// what is newer has no place in it.
func (w *Writer) process(p *Process) {
	for _, v := range [...]int64{p.TID, p.PID, p.PTID, p.SID, p.VPGID} {
		w.u64(uint64(v))
	}
	w.text(p.Comm, maxName)
	w.text(p.Exe, maxName)
	w.text(p.ExePath, maxName)
	w.text(p.Args, maxText)
	w.text(p.Cwd, maxName)
	w.u64(uint64(p.FDLimit))
	for _, v := range [...]uint32{p.Flags, p.UID, p.GID, p.VMSize, p.VMRSS, p.VMSwap} {
		w.u32(v)
	}
	w.u64(p.MajorFaults)
	w.u64(p.MinFaults)
	w.text(p.Env, maxText)
	w.u64(uint64(p.VTID))
	w.u64(uint64(p.VPID))
	w.text(p.Cgroups, maxText)
	w.text(p.Root, maxName)
	w.u32(p.LoginUID)
	w.flag(p.ExeWritable)
	w.u64(p.CapInheritable)
	w.u64(p.CapPermitted)
	w.u64(p.CapEffective)
}

func (w *Writer) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

// fd writes a descriptor. What sysdig 0.29.3 does not know would make it refuse
// the file: it is none of the kinds that it has.
func (w *Writer) fd(fd *FD) {
	typ := fd.Type
	if typ > FDFile2 {
		typ = FDUnsupported
	}
	w.u64(uint64(fd.Number))
	w.u64(fd.Ino)
	w.u8(uint8(typ))
	switch typ {
	case FDUnknown:
	case FDIPv4, FDIPv6:
		w.addr(fd.Source.Addr())
		w.addr(fd.Dest.Addr())
		w.u16(fd.Source.Port())
		w.u16(fd.Dest.Port())
		w.u8(fd.L4)
	case FDIPv4Listen, FDIPv6Listen:
		w.addr(fd.Source.Addr())
		w.u16(fd.Source.Port())
		w.u8(fd.L4)
	case FDUnix:
		w.u64(fd.Sockets[0])
		w.u64(fd.Sockets[1])
		w.text(fd.Name, maxName-1)
	case FDFile2:
		w.u32(fd.Flags)
		w.text(fd.Name, maxName-1)
		w.u32(fd.Dev)
	default:
		w.text(fd.Name, maxName-1)
	}
}

func (w *Writer) network(i *Interface) {
	kind := uint16(kindIPv4)
	if i.Addr.Is6() {
		kind = kindIPv6
	}
	w.u16(kind)
	name := i.Name[:min(len(i.Name), maxName-1)]
	w.u16(uint16(len(name)))
	w.addr(i.Addr)
	w.addr(i.Mask)
	w.addr(i.Broadcast)
	w.u64(i.Speed)
	w.buf = append(w.buf, name...)
}

func (w *Writer) addr(a netip.Addr) { w.buf = append(w.buf, a.AsSlice()...) }
