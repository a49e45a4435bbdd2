package state

// file is what is known of an open file besides its name. It does not change:
// descriptors that are made from each other share it.
type file struct {
	raw   string // the path as it was asked for
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

// fileOf is what an open has opened by a path.
func fileOf(exit half, path []byte) *file {
	f := &file{raw: string(path[:min(len(path), maxText)])}
	put(exit, fieldDev, &f.dev)
	put(exit, fieldIno, &f.ino)
	put(exit, fieldFlags, &f.flags)
	return f
}

// File is what is known of an open file besides its name.
type File struct {
	Raw          string // the path as it was asked for, "" if not known
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
	return File{Raw: f.raw, Dev: f.dev, Ino: f.ino, Upper: f.flags&upperLayer != 0, Lower: f.flags&lowerLayer != 0}
}
