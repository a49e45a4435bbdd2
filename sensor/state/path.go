package state

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// oDirectory is the bit of O_DIRECTORY in the flags of an open, in Falco's
// numbering.
const oDirectory = 1 << 10

// maxPath bounds what the name of a descriptor is made of, the directory and the
// path, as libsinsp does: measured with sysdig 0.29.3.
const maxPath = 1021

// untouched is the path of an enter event when the kernel module could not read it
// without a page fault. The exit event has it.
const untouched = "(NULL)"

const tooLong = "/PATH_TOO_LONG"

// open names what a call of the open family has opened. The enter event's words
// go before those of the exit event: they are what the program has asked for.
func (t *Table) open(c *call) {
	asked := c.enter
	path := t.named(asked)
	if path == nil || string(path) == untouched && !t.cfg.Sysdig {
		asked = c.exit
		if path = t.named(asked); path == nil {
			path = []byte(unknown)
		}
	}
	d := descriptor{FDName: event.FDName{Letter: 'f'}}
	if flags, _ := asked.int(fieldFlags); flags&oDirectory != 0 {
		d.Letter = 'd'
	}
	truth, _ := c.exit.Truth()
	d.Name, d.file = t.opened.take(t.absolute(c.thread, asked, path), fileOf(c.exit), path, truth.Object)
	d.cloexec = c.cloexec()
	t.set(c.thread.files, c.res, d)
}

// named is the path in one half of an open, nil if it has none.
func (t *Table) named(h half) []byte {
	path := h.str(fieldName)
	if path == nil {
		path = h.str(fieldPath)
	}
	if len(path) == 0 && len(h.bytes(fieldName)) == 0 || string(path) == unknown && (t.newest() || !t.cfg.Sysdig) {
		return nil
	}
	return path
}

// resolve returns the absolute path of a path argument.
func (t *Table) resolve(th *Thread, h half, path []byte) string {
	return string(t.absolute(th, h, path))
}

// absolute is resolve without a string of its own: valid until the next one.
func (t *Table) absolute(th *Thread, h half, path []byte) []byte {
	t.buf = t.buf[:0]
	if len(path) == 0 && !t.newest() || len(path) > 0 && path[0] != '/' && (t.cfg.Sysdig || !bytes.HasPrefix(path, []byte(unknown))) {
		t.buf = t.appendBase(t.buf, th, h)
	}
	if len(t.buf)+len(path) > maxPath {
		t.buf = append(t.buf[:0], tooLong...)
		return t.buf
	}
	t.buf = event.JoinPath(t.buf, 0, path, t.cfg.Style)
	return t.buf
}

// appendBase appends the directory that a relative path starts from.
func (t *Table) appendBase(dst []byte, th *Thread, h half) []byte {
	dirfd, ok := h.int(fieldDirfd)
	if !ok && t.newest() && h.bytes(fieldDirfd) != nil {
		return dst // it is there and nobody has filled it
	}
	if !ok || dirfd == unix.AT_FDCWD {
		return append(dst, th.dir.path...)
	}
	d, ok := th.files.fds[dirfd]
	if !ok {
		return append(dst, "<UNKNOWN>"...)
	}
	dst = append(dst, d.Name...)
	if t.newest() && len(dst) > 0 && dst[len(dst)-1] == '/' {
		return dst
	}
	return append(dst, '/')
}

// chdir moves the working directory of the thread, and of those who share it.
// getcwd tells where it is.
func (t *Table) chdir(c *call) {
	path := c.exit.str(fieldPath)
	if len(path) == 0 || isDir(c.thread.dir.path, path) {
		return
	}
	if path[0] != '/' && c.thread.dir.path == "" || t.newest() && t.cfg.Sysdig && c.thread.leader == nil {
		return
	}
	c.thread.dir.path = asDir(t.resolve(c.thread, c.exit, path))
}

func (t *Table) fchdir(c *call) {
	fd, ok := c.int(fieldFD)
	if !ok {
		return
	}
	d, ok := c.thread.files.fds[fd]
	switch {
	case ok:
		c.thread.dir.path = asDir(d.Name)
	case !t.cfg.Sysdig:
		c.thread.dir.path = "" // it has gone where nobody knows
	}
}

// isDir reports whether dir is path with a final slash.
func isDir(dir string, path []byte) bool {
	return len(dir) == len(path)+1 && dir[:len(path)] == string(path) && path[0] == '/' && len(path) > 1
}

// asDir is a path with a final slash.
func asDir(path string) string {
	if path == "" || path[len(path)-1] == '/' {
		return path
	}
	return path + "/"
}
