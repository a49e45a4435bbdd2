package tracer

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// What an event says of a call is read at its entry, before the kernel reads it,
// and other threads may change it in between: the memory of an argument, the file
// that a path leads to. So at the exit of a call it is compared with what the kernel
// has made of it. docs/pdig.md says what is a mismatch and what is not. Nothing of
// this is done unless the reader wants it.

// truthKind is where the truth of a call is found.
type truthKind uint8

const (
	truthNone    truthKind = iota
	truthOpen              // of a file, by the path in argument 0
	truthOpenat            // by that in argument 1, relative to argument 0
	truthOpenat2           // the same, with struct open_how
	truthHandle            // by a handle, without a path
	truthExec
	truthConnect
	truthBind
	truthReceived // descriptors in a message
	truthTaken    // a descriptor that is the result
)

var truthKinds = map[string]truthKind{
	"open": truthOpen, "creat": truthOpen, "openat": truthOpenat, "openat2": truthOpenat2, "open_by_handle_at": truthHandle,
	"execve": truthExec, "execveat": truthExec, "connect": truthConnect, "bind": truthBind,
	"recvmsg": truthReceived, "recvmmsg": truthReceived, "pidfd_getfd": truthTaken,
}

// truth is that of the call whose exit is being recorded.
type truth struct {
	event.Truth
	object   [maxPath]byte
	argument [maxPath]byte
	rights   []int32 // descriptors in the ancillary data of the record
	received []byte
}

// end ends the record of an event: at the exit of a call with its truth.
func (t *Tracer) end(th *thread, typ uint16) ([]byte, error) {
	c := &th.call
	if syscalls.IsEnter(typ) || c.spec == nil || c.spec.truth == truthNone && !c.hidden || !t.sink.Truth() {
		return t.enc.End()
	}
	t.truth.Truth = event.Truth{}
	t.findTruth(th)
	if c.hidden && (c.ret >= 0 || c.ret == einprogress) {
		t.truth.Mismatch |= event.ArgumentHidden
	}
	if t.truth.Mismatch != 0 && t.sum != nil {
		t.sum.of(c.spec).mismatches++
	}
	if t.truth.Mismatch == 0 && len(t.truth.Object) == 0 && len(t.truth.Received) == 0 {
		return t.enc.End()
	}
	return t.enc.EndWith(&t.truth.Truth)
}

func (t *Tracer) findTruth(th *thread) {
	c := &th.call
	switch c.spec.truth {
	case truthOpen, truthOpenat, truthOpenat2, truthHandle:
		t.openTruth(th)
	case truthExec:
		t.execTruth(th)
	case truthConnect:
		t.rereadPacked(th)
		t.rereadAddress(th)
		t.connectTruth(th)
	case truthBind:
		t.rereadPacked(th)
		t.rereadAddress(th)
		t.bindTruth(th)
	case truthReceived, truthTaken:
		if th.proc.mem.copies == nil {
			t.receivedTruth(th)
		}
	}
}

// openTruth is for an open that has ended: the path of its descriptor.
func (t *Tracer) openTruth(th *thread) {
	c := &th.call
	n, dirfd := uint8(1), int32(c.args[0])
	switch c.spec.truth {
	case truthOpen:
		n, dirfd = 0, unix.AT_FDCWD
	case truthHandle:
		t.truth.Object = t.descriptorPath(th, c.ret)
		return
	}
	t.rereadString(th, n)
	t.rereadHow(th)
	if c.ret < 0 {
		return
	}
	t.truth.Object = t.descriptorPath(th, c.ret)
	if th.proc.mem.copies != nil {
		return // where the name led then cannot be asked any more
	}
	if name, ok := c.string(n); ok && c.texts[n].whole && !c.missing && len(t.truth.Object) > 0 {
		if opened := t.openedFile(th, int(c.ret)); opened.Ino != 0 && !t.opens(th, dirfd, name, opened) {
			t.truth.Mismatch |= event.OtherObject
		}
	}
}

// descriptorPath is the path of a descriptor of th, as the tracer sees it; nil if
// it is not known.
func (t *Tracer) descriptorPath(th *thread, fd int64) []byte {
	if fd < 0 {
		return nil
	}
	if copies := th.proc.mem.copies; copies != nil {
		return copies.path(fd)
	}
	link := append(appendProc(t.scratch[:0], th.tid), "/fd/"...)
	link = append(strconv.AppendInt(link, fd, 10), 0)
	n, errno := sys.ReadLink(link, t.truth.object[:])
	if errno != 0 || n == maxPath {
		return nil
	}
	return t.truth.object[:n]
}

// opens reports whether the name that th has given to an open leads to the file
// that was opened, or cannot be told. Most names are the path of the file or a link
// to it, which is one look; what is left is looked at as the kernel does it.
func (t *Tracer) opens(th *thread, dirfd int32, name []byte, opened *unix.Stat_t) bool {
	path := t.truth.Object
	if bytes.Equal(name, path) && name[0] == '/' {
		return true
	}
	if th.call.spec.truth == truthOpenat2 && !th.call.howKnown {
		return true
	}
	flags, resolve := th.howToOpen()
	id := identity{opened.Dev, opened.Ino}
	if resolve == 0 && flags&unix.O_NOFOLLOW == 0 && t.finds(th, dirfd, name, id) {
		return true
	}
	w := t.newWalk(th, dirfd, name, id, path)
	w.flags, w.resolve = flags, resolve
	return t.served.leads(w)
}

// finds reports whether a name that th has used leads to a file for the tracer.
func (t *Tracer) finds(th *thread, dirfd int32, name []byte, id identity) bool {
	var st unix.Stat_t
	return t.served.statPath(t.seenBy(th, dirfd, name), &st) == 0 && id == identity{st.Dev, st.Ino}
}

// howToOpen are the flags of an open, and how openat2 is to resolve its path.
func (th *thread) howToOpen() (flags, resolve uint64) {
	c := &th.call
	switch {
	case c.spec.truth == truthOpenat2:
		return binary.LittleEndian.Uint64(c.how[:]), binary.LittleEndian.Uint64(c.how[16:])
	case c.spec.truth == truthOpenat:
		return c.args[2], 0
	case c.spec.enter == enterOpen:
		return c.args[1], 0
	}
	return unix.O_CREAT, 0 // creat
}

// rereadString compares the string at argument n with what it was at the entry.
func (t *Tracer) rereadString(th *thread, n uint8) {
	c := &th.call
	was, _ := c.string(n)
	if !c.texts[n].whole || c.missing {
		return // it was read late
	}
	m := &th.proc.mem
	now := t.truth.argument[:min(len(was)+1, maxPath-1)]
	if m.full(now, c.args[n]) && bytes.Equal(now[:len(was)], was) && (len(now) == len(was) || now[len(was)] == 0) {
		return
	}
	now, ok := m.appendString(t.truth.argument[:0], c.args[n], maxPath-1)
	if ok && !bytes.Equal(now, was) {
		t.truth.Mismatch |= event.ArgumentChanged
		t.truth.Argument = now
	}
}

// rereadHow compares the struct open_how of an openat2. If it was not in memory yet, it is
// what the kernel has read.
func (t *Tracer) rereadHow(th *thread) {
	c := &th.call
	var now [len(c.how)]byte
	switch {
	case c.spec.truth != truthOpenat2:
	case !c.howKnown:
		th.readHow()
	case th.proc.mem.full(now[:], c.args[2]) && now != c.how:
		t.truth.Mismatch |= event.ArgumentChanged
	}
}

// readHow keeps the struct open_how of an openat2.
func (th *thread) readHow() {
	c := &th.call
	if c.spec.truth == truthOpenat2 {
		c.howKnown = th.proc.mem.full(c.how[:], c.args[2])
	}
}
