package fields

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

func evtArgs(e *Event, _ *argument, v *filter.Values) bool {
	e.buf = e.printer.AppendInfo(e.buf[:0], e.View, e.State)
	v.Copy(e.buf)
	return true
}

// evtInfo is what stands at the end of a line.
func evtInfo(e *Event, a *argument, v *filter.Values) bool {
	line := e.LogLine()
	switch {
	case line == nil:
		return evtArgs(e, a, v)
	case e.printer.Verbatim:
		v.Copy(line)
	default:
		e.buf = event.AppendLine(e.buf, line)
		v.Copy(e.buf[len(line):])
	}
	return true
}

// param is the number of the parameter that was asked for, -1 for none. Those
// that sysdig 0.29.3 does not have are there by their names only.
func (e *Event) param(a *argument) int {
	typ := e.View.Type()
	if a.at != nil {
		return int(a.at[typ])
	}
	if _, count := event.Edition(typ); !e.newest() && a.index >= count {
		return -1
	}
	return a.index
}

func evtArg(e *Event, a *argument, v *filter.Values) bool {
	return e.paramText(e.param(a), v)
}

func (e *Event) paramText(i int, v *filter.Values) (ok bool) {
	if i < 0 {
		return false
	}
	e.buf, ok = e.printer.AppendValue(e.buf[:0], e.View, i, e.State)
	v.Copy(e.buf)
	return ok
}

// absPath gives a path as an absolute one, without the detours that the program has
// put into it.
func (e *Event) absPath(i int, v *filter.Values) bool {
	ok := e.appendAbsPath(i)
	v.Copy(e.buf)
	return ok
}

// appendAbsPath puts it into the buffer.
func (e *Event) appendAbsPath(i int) (ok bool) {
	e.buf = e.buf[:0]
	if i < 0 {
		return false
	}
	if path := e.View.Str(i); len(path) > 0 && path[0] == '/' {
		e.buf = event.JoinPath(e.buf, 0, path, e.View.Style)
		return true
	}
	e.buf, ok = e.printer.AppendValue(e.buf, e.View, i, e.State)
	return ok
}

// rawType is the type of evt.rawarg for a parameter.
func rawType(p *syscalls.Param) filter.Type {
	switch p.Type {
	case syscalls.Int8, syscalls.Int16, syscalls.Int32, syscalls.Int64, syscalls.Errno,
		syscalls.FD, syscalls.FD32, syscalls.PID, syscalls.PID32:
		return filter.Int
	case syscalls.ByteBuf:
		return filter.Bytes
	}
	if p.Type.Size() > 0 && p.Type.Size() <= 8 {
		return filter.Uint
	}
	return filter.String
}

// rawStyle is how evt.rawarg shows a number: as sysdig's table has it, but flags,
// which it shows in hexadecimal digits nowhere else either.
func rawStyle(p *syscalls.Param) style {
	switch {
	case rawType(p) != filter.Uint && rawType(p) != filter.Int:
		return decimal
	case p.Format == syscalls.Hex:
		return hexadecimal
	case p.Format == syscalls.Oct:
		return octal
	}
	return decimal
}

func evtRawArg(e *Event, a *argument, v *filter.Values) bool {
	typ := e.View.Type()
	i := e.param(a)
	raw := e.View.Param(i)
	if raw == nil {
		return false
	}
	switch p := &syscalls.Events[typ].Params[i]; rawType(p) {
	case filter.Int:
		n, ok := e.View.Int(i)
		v.Int(n)
		return ok
	case filter.Uint:
		n, ok := e.View.Uint(i)
		v.Uint(n)
		return ok
	case filter.Bytes:
		v.Borrow(raw)
		return true
	}
	if t := syscalls.Events[typ].Params[i].Type; t == syscalls.CharBuf || t == syscalls.FSPath || t == syscalls.FSRelPath {
		v.Borrow(e.View.Str(i))
		return true
	}
	return e.paramText(i, v)
}

// paramNamed is a parameter of the event, by its name.
func (e *Event) paramNamed(name string) int { return event.ParamIndex(e.View.Type(), name) }

func evtBuffer(e *Event, _ *argument, v *filter.Values) bool {
	raw := e.View.Param(e.paramNamed("data"))
	v.Borrow(raw)
	return raw != nil
}

func evtBuflen(e *Event, _ *argument, v *filter.Values) bool {
	res, ok := e.result()
	if !ok || res < 0 || !e.ioCall() {
		return false
	}
	if _, _, known := e.descriptor(); !known {
		return false
	}
	v.Uint(uint64(res))
	return true
}

// ioCall reports whether a call reads, writes or does something else with a
// descriptor.
func (e *Event) ioCall() bool {
	switch e.View.Info().Class {
	case syscalls.CategoryIoRead, syscalls.CategoryIoWrite, syscalls.CategoryIoOther:
		return true
	}
	return false
}

// Kinds of opens.
const (
	openRead = iota
	openWrite
	openExec
	openCreate
)

// Bits of the flags of an open, in Falco's numbering.
const (
	oRead, oWrite = 1 << 0, 1 << 1
	oCreate       = 1 << 2
	oTmpfile      = 1 << 13
	oCreated      = 1 << 14
	anyExec       = 0o111
)

// opens reports whether a call opens a file in some way. All events have it.
func opens(kind int) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		v.Bool(e.opens(kind))
		return true
	}
}

func (e *Event) opens(kind int) bool {
	creat := false
	if !e.exit() {
		return false
	}
	switch e.View.Name() {
	case "open", "openat", "openat2", "open_by_handle_at":
	case "creat":
		creat = true
	default:
		return false
	}
	flags, _ := e.View.Uint(e.paramNamed("flags"))
	mode, _ := e.View.Uint(e.paramNamed("mode"))
	switch kind {
	case openRead:
		return !creat && flags&oRead != 0
	case openWrite:
		return !creat && flags&oWrite != 0
	case openExec:
		return (creat || flags&(oCreate|oTmpfile) != 0) && mode&anyExec != 0
	}
	return flags&oCreated != 0
}

// evtAbspath is what a path parameter resolves to: the second one for dst, if there are
// two.
func evtAbspath(e *Event, a *argument, v *filter.Values) bool {
	if !e.exit() {
		return false
	}
	path := -1
	for i, p := range e.View.Info().Params {
		if p.Type != syscalls.FSRelPath {
			continue
		}
		if path < 0 || a.text == "dst" {
			path = i
		}
	}
	if path >= 0 && e.belowUnknown(path) {
		e.buf = event.JoinPath(append(e.buf[:0], "<UNKNOWN>/"...), 0, e.View.Str(path), e.View.Style)
		v.Copy(e.buf)
		return true
	}
	return e.absPath(path, v)
}

// belowUnknown reports whether a path is below a directory of which nothing is known but
// the descriptor.
func (e *Event) belowUnknown(i int) bool {
	path := e.View.Str(i)
	dirfd, ok := e.View.Int(int(e.View.Info().Params[i].Dirfd))
	if len(path) == 0 || path[0] == '/' || !ok || dirfd == unix.AT_FDCWD {
		return false
	}
	_, known := e.State.FD(dirfd)
	return !known
}
