package state

import "hash/maphash"

// file is what is known of an open file besides its name. It does not change:
// descriptors that are made from each other share it.
type file struct {
	raw   string // the path as it was asked for
	real  string // the path of the file itself, see [event.Truth]; "" if not known
	flags uint32
	dev   uint32
	ino   uint64
}

// Bits of the flags of an open that say where in an overlay file system a file
// is, in Falco's numbering.
const (
	upperLayer = 1 << 15
	lowerLayer = 1 << 16
)

// fileOf is what an open has opened, without the path.
func fileOf(exit half) (f file) {
	put(exit, fieldDev, &f.dev)
	put(exit, fieldIno, &f.ino)
	put(exit, fieldFlags, &f.flags)
	var created uint32 // of a creat: the bits of the layers begin at 1
	put(exit, fieldCreatFlags, &created)
	f.flags |= (created & 3) * upperLayer
	return f
}

// opened remembers what was opened last: programs open the same files again, and what
// is the same needs no memory of its own.
type opened struct {
	seed  maphash.Seed
	files [256]openedFile
}

type openedFile struct {
	name string
	file *file
}

// take returns the name and the file with that path, of before if there were the
// same. real is the path of the file itself.
func (o *opened) take(name []byte, f file, path, real []byte) (string, *file) {
	path, real = path[:min(len(path), maxText)], real[:min(len(real), maxText)]
	e := &o.files[maphash.Bytes(o.seed, name)%uint64(len(o.files))]
	if e.name != string(name) {
		e.name, e.file = string(name), nil
	}
	if was := e.file; was == nil || was.raw != string(path) || was.real != string(real) || was.flags != f.flags || was.dev != f.dev || was.ino != f.ino {
		kept := f // only this one is on the heap
		if kept.raw = e.name; kept.raw != string(path) {
			kept.raw = string(path)
		}
		if kept.real = e.name; kept.real != string(real) {
			kept.real = string(real)
		}
		e.file = &kept
	}
	return e.name, e.file
}

// File is what is known of an open file besides its name.
type File struct {
	Raw          string // the path as it was asked for, "" if not known
	Real         string // the path of the file itself, "" if not known
	Dev          uint32 // 0 if not known
	Ino          uint64 // 0 if not known
	Upper, Lower bool   // layer of an overlay file system
}

// File returns what is known of a descriptor of the event's thread.
func (t *Table) File(fd int64) File {
	f := t.cur.files.fds[fd].file
	if f == nil {
		return File{}
	}
	return File{Raw: f.raw, Real: f.real, Dev: f.dev, Ino: f.ino, Upper: f.flags&upperLayer != 0, Lower: f.flags&lowerLayer != 0}
}
