package tracer

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// execTruth is for an exec that has ended: the file that is executed. The kernel has
// put the path that it has read behind the environment, on a stack that the program
// has not seen yet (fs/exec.c, bprm->exec).
func (t *Tracer) execTruth(th *thread) {
	c, p := &th.call, th.proc
	n := uint8(pathArg(c.spec.enter))
	if c.ret < 0 {
		t.rereadString(th, n)
		return
	}
	t.truth.Object = p.file.path
	if p.envEnd == 0 {
		return
	}
	now, ok := p.mem.appendString(t.truth.argument[:0], p.envEnd, maxPath-1)
	asked, _ := t.filename(th)
	switch {
	case !ok && c.missing:
		return
	case c.missing:
		t.truth.Argument, asked = now, now
	case ok && !bytes.Equal(now, asked):
		t.truth.Mismatch |= event.ArgumentChanged
		t.truth.Argument = now
	}
	if p.file.ino != 0 && len(p.file.path) > 0 && !t.executes(th, asked) {
		t.truth.Mismatch |= event.OtherObject
	}
}

// executes reports whether a path leads to the file that th executes, or to a script
// or the like for which it executes that, or cannot be told: what an execveat has
// begun from may be closed now.
func (t *Tracer) executes(th *thread, path []byte) bool {
	x := &th.proc.file
	if bytes.Equal(path, x.path) {
		return true
	}
	dirfd := int32(unix.AT_FDCWD)
	if name, from, ok := th.begunFrom(); ok {
		if th.call.missing {
			return true
		}
		path, dirfd = name, from // there need be no /dev/fd
	}
	id := identity{x.dev, x.ino}
	if t.finds(th, dirfd, path, id) {
		return true
	}
	w := t.newWalk(th, dirfd, path, id, x.path)
	w.exec = true
	return t.served.leads(w)
}
