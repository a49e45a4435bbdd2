package event

import (
	"strconv"

	"github.com/pdig/pdig/syscalls"
	"golang.org/x/sys/unix"
)

// appendResolved appends what an argument names, nothing if its text says all.
func (p *Printer) appendResolved(dst []byte, a *arg, v *View, n Names) []byte {
	switch a.typ {
	case syscalls.FSPath:
		if a.relative() {
			start := len(dst)
			return JoinPath(appendCwd(dst, n), start, cstring(a.raw), a.style)
		}
		return dst
	case syscalls.FSRelPath:
		if a.relative() {
			start := len(dst)
			return JoinPath(appendBase(dst, v, a, n), start, cstring(a.raw), a.style)
		}
		return dst
	}
	if !a.number {
		return dst
	}
	return p.line(a.appendNumberName(dst, n), len(dst))
}

// appendNumberName appends what a number stands for.
func (a *arg) appendNumberName(dst []byte, n Names) []byte {
	switch a.typ {
	case syscalls.Errno:
		return append(dst, errnoName(a.signed)...)
	case syscalls.FD, syscalls.FD32:
		return appendFD(dst, a.signed, n)
	case syscalls.PID, syscalls.PID32:
		if comm, ok := n.Thread(a.signed); ok {
			return append(dst, comm...)
		}
	case syscalls.EnumFlags8, syscalls.EnumFlags16, syscalls.EnumFlags32:
		if a.style == Newest {
			return appendWholeFlags(dst, a.param.Flags, uint32(a.unsigned), a.newest)
		}
		return appendFlags(dst, a.param.Flags, uint32(a.unsigned), a.newest, a.style)
	case syscalls.Flags8, syscalls.Flags16, syscalls.Flags32, syscalls.Mode:
		return appendFlags(dst, a.param.Flags, uint32(a.unsigned), a.newest, a.style)
	case syscalls.UID:
		return appendOwner(dst, uint32(a.unsigned), n.User(uint32(a.unsigned)))
	case syscalls.GID:
		return appendOwner(dst, uint32(a.unsigned), n.Group(uint32(a.unsigned)))
	case syscalls.SigType:
		return appendSignal(dst, a.unsigned)
	case syscalls.SyscallID:
		if a.style == Newest {
			return append(dst, newestCall(a.unsigned)...)
		}
		return append(dst, callName(a.unsigned)...)
	case syscalls.RelTime:
		if a.signed != -1 {
			return appendSeconds(dst, a.unsigned)
		}
	}
	return dst
}

func appendFD(dst []byte, fd int64, n Names) []byte {
	switch {
	case fd == unix.AT_FDCWD:
		return append(dst, "AT_FDCWD"...)
	case fd < 0:
		return append(dst, errnoName(fd)...)
	}
	if name, ok := n.FD(fd); ok {
		return name.appendTo(dst)
	}
	return dst
}

func appendOwner(dst []byte, id uint32, name string) []byte {
	switch {
	case id == ^uint32(0):
		return append(dst, "<NONE>"...)
	case name == "":
		return append(dst, missing...)
	}
	return AppendPrintable(dst, name)
}

// appendSeconds appends nanoseconds as seconds with six digits.
func appendSeconds(dst []byte, ns uint64) []byte {
	return append(strconv.AppendFloat(dst, float64(ns)/1e9, 'g', 6, 64), 's')
}

// relative tells whether a path parameter has to be resolved. An unreadable
// path stands in the record as <NA>.
func (a *arg) relative() bool {
	raw := a.raw
	if len(raw) == 0 || raw[0] == '/' || a.style == Newest && raw[0] == 0 {
		return false
	}
	if a.style == Newest {
		return string(cstring(raw)) != missing
	}
	return len(raw) < len(missing) || string(raw[:len(missing)]) != missing
}

// openat2E is the event of which sysdig 0.29.3 looks for the directory in a
// parameter that is none, and takes the working directory then.
const openat2E = 326

// appendBase appends the directory that a path is relative to: the descriptor
// that the event has for it, whatever it is, or the working directory; nothing
// if it is not known.
func appendBase(dst []byte, v *View, a *arg, n Names) []byte {
	fd, ok := v.Int(int(a.param.Dirfd))
	switch {
	case !ok:
		return dst
	case fd == unix.AT_FDCWD || v.typ == openat2E && v.Style == Sysdig:
		return appendCwd(dst, n)
	}
	name, ok := n.FD(fd)
	if !ok || name.Name == "" {
		return dst
	}
	return append(AppendPrintable(dst, name.Name), '/')
}

// appendCwd appends the working directory with a final slash, nothing if it is
// not known.
func appendCwd(dst []byte, n Names) []byte {
	cwd := n.Cwd()
	dst = AppendPrintable(dst, cwd)
	if cwd != "" && cwd[len(cwd)-1] != '/' {
		dst = append(dst, '/')
	}
	return dst
}
