package tracer

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// An overlay file system has an upper layer, which is written to, and lower ones:
// of a container, what it has done and what came with its image. No call says in
// which of them a file is, but without any privilege three things tell:
//
//   - The handle of a file names the layer where it was first. That of one which
//     has always been in the upper layer says so (Linux 6.5).
//   - Nothing in the upper layer is older than its root, which is that of the file
//     system. This is the time of birth (btime), which nobody can set.
//   - The upper directory itself, where the tracer can see it.
//
// What none of them tells is neither: a file of a lower layer that was changed, and
// so copied up, where the upper directory is not seen.

// layer is where in an overlay file system a file is.
type layer uint8

const (
	noLayer layer = iota // in none, or not known
	upperLayer
	lowerLayer
)

// overlay is a mount of an overlay file system. The kernel gives its numbers to another
// one when it is gone, but hardly of the same root.
type overlay struct {
	dev, id uint64
	root    birth  // of its root, as it was found
	at      string // where it is mounted, as its process sees that
	upper   string // the directory of the upper layer, "" if it has none
	whole   bool   // it shows the root of the file system
	top     []byte // its path for the tracer
}

// birth tells a file from one that gets its inode later.
type birth struct {
	ino uint64
	at  unix.StatxTimestamp
}

// overlays are the mounts that were met last.
type overlays [8]overlay

// layer is that of a file that a process has open or executes, which link leads to
// and st describes.
func (all *overlays) layer(pid int, link []byte, st *unix.Statx_t) layer {
	var h sys.Handle
	if h.Get(link) == 0 && ofUpperLayer(&h) {
		return upperLayer
	}
	if st.Mask&statxMntID == 0 {
		return noLayer // before 5.8
	}
	o := &all[st.Mnt_id%uint64(len(all))]
	var top unix.Statx_t
	if !o.is(pid, st, &top) && (!o.find(pid, st.Mnt_id) || !o.is(pid, st, &top)) {
		return noLayer
	}
	switch {
	case o.upper == "":
		return lowerLayer
	case o.whole && top.Mask&unix.STATX_BTIME != 0 && (st.Mask&unix.STATX_BTIME == 0 || nanoseconds(st.Btime) < nanoseconds(top.Btime)):
		return lowerLayer
	}
	return o.search(pid, link, st, &top)
}

// openLayer is the layer of the file that the call of th has opened, for readers that
// know of layers. What was opened to be written to has been copied up.
func (t *Tracer) openLayer(th *thread) layer {
	c := &th.call
	if c.ret <= 0 || t.specs.ceiling < syscalls.CeilingNewest {
		return noLayer
	}
	if copies := th.proc.mem.copies; copies != nil {
		return copies.layer(int(c.ret))
	}
	link := append(appendProc(t.proc.path[:0], th.tid), "/fd/"...)
	link = append(strconv.AppendInt(link, c.ret, 10), 0)
	var fs unix.Statfs_t
	var st unix.Statx_t
	switch {
	case t.served.statFS(link, &fs) != 0, fs.Type != unix.OVERLAYFS_SUPER_MAGIC, sys.Statx(link, layerMask, &st) != 0:
		return noLayer
	case st.Mode&unix.S_IFMT == unix.S_IFREG && t.opensToWrite(th):
		return upperLayer
	}
	return t.proc.overlays.layer(th.tid, link, &st)
}

// opensToWrite reports whether the file that th opens is to be changed.
func (t *Tracer) opensToWrite(th *thread) bool {
	if th.call.spec.enter == enterCreat {
		return true
	}
	flags := t.flagsOfOpen(th)
	return flags&unix.O_PATH == 0 && (flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0)
}

// ofUpperLayer reports whether a handle is one of an overlay file system and of a
// file that has always been in the upper layer (fs/overlayfs/overlayfs.h, struct
// ovl_fb: version, magic number, length, flags).
func ofUpperLayer(h *sys.Handle) bool {
	const (
		fileIDV0, fileIDV1 = 0xfb, 0xf8
		magic, upper       = 0xfb, 1 << 2
	)
	b := h.Bytes[:]
	switch h.Type {
	case fileIDV0:
	case fileIDV1:
		b = b[3:] // aligns the identity of the file system
	default:
		return false
	}
	return b[0] == 0 && b[1] == magic && b[3]&upper != 0
}

// is reports whether o is the mount that a file was found in, and describes its
// root then. The file itself may have the device of its layer.
func (o *overlay) is(pid int, st, top *unix.Statx_t) bool {
	if o.at == "" || o.id != st.Mnt_id {
		return false
	}
	o.top = append(append(append(appendProc(o.top[:0], pid), "/root"...), o.at...), 0)
	if sys.Statx(o.top, layerMask, top) != 0 || top.Mnt_id != o.id || unix.Mkdev(top.Dev_major, top.Dev_minor) != o.dev {
		return false
	}
	root := birth{top.Ino, top.Btime}
	if o.root == (birth{}) { // it has just been found
		o.root = root
	}
	return o.root == root
}

// statxMntID is STATX_MNT_ID.
const statxMntID = 0x1000

// layerMask is what is compared of files.
const layerMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | statxMntID

// find looks for a mount among those that a process sees.
func (o *overlay) find(pid int, id uint64) bool {
	*o = overlay{top: o.top}
	f := mountOf(pid, id)
	return f != nil && o.parse(f)
}

// mountOf is the line of /proc/PID/mountinfo about a mount, by fields: nil if there is
// none.
func mountOf(pid int, id uint64) [][]byte {
	mounts, err := os.ReadFile(procPath(pid, "mountinfo"))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(mounts) {
		if f := bytes.Fields(line); len(f) > 5 && decimal(f[0]) == id {
			return f
		}
	}
	return nil
}

// readOnly reports whether nobody writes to a mount, or to its file system.
func readOnly(mount [][]byte) bool {
	if mount == nil {
		return false
	}
	for _, options := range [2][]byte{mount[5], mount[len(mount)-1]} {
		if first, _, _ := bytes.Cut(options, []byte(",")); string(first) == "ro" {
			return true
		}
	}
	return false
}

// parse takes the fields of a line of /proc/PID/mountinfo.
func (o *overlay) parse(f [][]byte) bool {
	const device, root, at = 2, 3, 4
	dash := at + 1
	for dash < len(f) && string(f[dash]) != "-" {
		dash++
	}
	if dash+3 >= len(f) || string(f[dash+1]) != "overlay" {
		return false
	}
	major, minor, _ := bytes.Cut(f[device], []byte(":"))
	*o = overlay{
		id: decimal(f[0]), dev: unix.Mkdev(uint32(decimal(major)), uint32(decimal(minor))),
		at: unescape(f[at]), whole: string(f[root]) == "/", top: o.top,
	}
	for i, option := range bytes.Split(f[dash+3], []byte(",")) {
		if i > 0 && bytes.HasPrefix(option, []byte("upperdir=")) {
			o.upper = unescape(bytes.TrimPrefix(option, []byte("upperdir=")))
		}
	}
	return true
}

// unescape undoes what the kernel does to paths of mounts: \040 is a blank.
func unescape(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\\' && i+3 < len(b) {
			if d := b[i+1 : i+4]; d[0]&^3 == '0' && d[1]&^7 == '0' && d[2]&^7 == '0' {
				c, i = d[0]<<6|d[1]&7<<3|d[2]&7, i+3
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// search looks for the file in the upper directory, if the tracer sees the one that
// is meant. What is there has the times of what the file system shows.
func (o *overlay) search(pid int, link []byte, st, top *unix.Statx_t) layer {
	var b [maxPath]byte
	n, _ := sys.ReadLink(link, b[:])
	path := b[:max(n, 0)]
	rest, inside := bytes.CutPrefix(path, []byte(o.at))
	var there unix.Statx_t
	look := func(path string) unix.Errno {
		there = unix.Statx_t{}
		return sys.Statx([]byte(path+"\x00"), layerMask, &there)
	}
	if !inside || !o.whole || o.upper[0] != '/' || look(o.upper) != 0 || !sameTimes(&there, top) ||
		look(procPath(pid, "root")+string(path)) != 0 || there.Ino != st.Ino || there.Mnt_id != st.Mnt_id {
		return noLayer
	}
	switch look(o.upper + "/" + string(rest)) {
	case 0:
		if sameTimes(&there, st) {
			return upperLayer
		}
	case unix.ENOENT, unix.ENOTDIR:
		return lowerLayer
	}
	return noLayer
}

// sameTimes reports whether two files were born and changed at the same times, which
// are known.
func sameTimes(a, b *unix.Statx_t) bool {
	return a.Mask&b.Mask&unix.STATX_BTIME != 0 && a.Btime == b.Btime && a.Ctime == b.Ctime && a.Mtime == b.Mtime
}
