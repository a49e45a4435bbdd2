package state

import "github.com/pdig/pdig/event"

// unknown is the name of a thread that nobody could name.
const unknown = "<NA>"

// Thread is what is known of a thread.
type Thread struct {
	TID, PID, PTID int64 // itself, its process, the process that created that
	VTID, VPID     int64 // the same in the innermost pid namespace, 0 if not known
	VPGID          int64 // process group there, 0 if not known
	UID, GID       uint32
	LoginUID       uint32 // all ones: none
	TTY            uint32 // device of the terminal, 0 if none
	Program        *Program
	Comm           string // "<NA>" if not known

	About

	reaps   bool    // the first thread of a process that takes orphans
	orphan  bool    // its parent was not known when it was made: sysdig 0.41.4 has none for it
	leader  *Thread // of its process, perhaps itself; nil if not known
	members int     // other threads of the process that have this leader
	files   *files
	dir     *dir
	seen    uint64 // time of its last event
	text    int    // bytes that its program has in the counter
	origin  origin
	exited  bool // a leader that is kept for its threads

	// The half of a call that was not answered yet: its code, or noEnter, and
	// the record if the rules need it.
	entered uint16
	enter   []byte
	lastFD  int64 // descriptor of the last enter event that had one
}

const noEnter = ^uint16(0)

// origin says which event made the entry of a thread, so that the other one
// that tells of the same does not make it again.
type origin uint8

const (
	fromLookup origin = iota // none: what /proc says
	fromParent               // the clone exit of its parent; its own is to come
	fromChild                // its own clone exit; its parent's is to come
	fromBoth
	fromList // it was there at the beginning of a capture
)

// files is a table of descriptors, shared by all threads that have the same.
type files struct {
	fds    map[int64]descriptor
	refs   int
	text   int  // bytes of names
	shared bool // by threads of several processes
}

func newFiles() *files { return &files{fds: map[int64]descriptor{}, refs: 1} }

// dir is a working directory, shared likewise.
type dir struct{ path string } // ends with a slash; empty if not known

// descriptor is an open descriptor.
type descriptor struct {
	event.FDName
	file    *file // of what a path was opened for; nil if not known
	sock    *sock // of a socket; it is not changed but replaced
	cloexec bool  // an exec closes it, as far as known

	connected bool // a socket, see [Table.Connected]
}

// retain and release count the users of a descriptor table.
func (f *files) retain() *files {
	f.refs++
	return f
}

func (t *Table) release(f *files) {
	if f == nil {
		return
	}
	if f.refs--; f.refs == 0 {
		t.stats.Descriptors -= len(f.fds)
		t.stats.Text -= f.text
	}
}

// copyFiles returns a table of its own with the descriptors of f.
func (t *Table) copyFiles(f *files) *files {
	c := &files{fds: make(map[int64]descriptor, len(f.fds)), refs: 1}
	for fd, d := range f.fds {
		t.set(c, fd, d)
	}
	return c
}

// set names a descriptor, if there is room.
func (t *Table) set(f *files, fd int64, d descriptor) {
	if fd < 0 {
		return
	}
	old, known := f.fds[fd]
	more := d.text() - old.text()
	full := !known && (len(f.fds) >= t.cfg.MaxFDs || t.stats.Descriptors >= t.cfg.MaxAllFDs)
	if full || t.stats.Text+more > t.cfg.MaxText {
		t.stats.DescriptorsLost++
		t.unset(f, fd) // what it was it is no more
		return
	}
	if !known {
		t.stats.Descriptors++
	}
	f.text += more
	t.stats.Text += more
	f.fds[fd] = d
}

// text is how many bytes a descriptor has that others may not have.
func (d *descriptor) text() int {
	n := len(d.Name)
	if d.file != nil {
		n += len(d.file.raw) + len(d.file.real)
	}
	return n
}

// unset forgets a descriptor.
func (t *Table) unset(f *files, fd int64) {
	if d, ok := f.fds[fd]; ok {
		delete(f.fds, fd)
		f.text -= d.text()
		t.stats.Text -= d.text()
		t.stats.Descriptors--
	}
}
