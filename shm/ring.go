package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// ring is a pair of mapped objects.
type ring struct {
	page
	data       []byte // the bytes of the records
	size       uint32 // likewise
	name       string // for people
	buf, descs string // paths; empty when the objects have none
	id         [2]identity
}

// opened tells which ring it is.
func (r *ring) opened(log *zerolog.Logger) {
	log.Info().Str("ring", r.name).Str("layout", r.layout.name).Uint32("size", r.size).Msg("ring opened")
}

// opening says how to open a ring.
type opening struct {
	ceiling int  // event codes that the reader knows; 0 is that of the layout
	find    bool // do not create it, nor wait for anybody
}

// openTries bounds how often a ring is opened anew because others create and
// remove its objects at the same time.
const openTries = 100

// open maps the ring. Whoever comes first creates it.
func (c *Config) open(how opening) (*ring, error) {
	if list, ok := strings.CutPrefix(c.Prefix, "fd:"); ok {
		return openInherited(list)
	}
	size, err := c.size()
	if err != nil {
		return nil, err
	}
	buf, descs, err := c.paths()
	if err != nil {
		return nil, err
	}
	for range openTries {
		var r *ring
		r, err = c.openNamed(buf, descs, size, how)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, errVanished) {
			return nil, err
		}
	}
	return nil, unusable(buf, "end them", "others create and remove it all the time")
}

func (c *Config) openNamed(buf, descs string, size int64, how opening) (*ring, error) {
	layout := layoutFor(size, how.ceiling)
	// The second object says that it is complete, so that of its openers none
	// has to be the first.
	first := make([]byte, layout.status+statusSize)
	binary.NativeEndian.PutUint32(first[layout.status+offInitialized:], 1)
	mode := uint32(c.mode())
	a := object{path: buf, size: size, mode: mode, shared: c.shared(), wait: !how.find}
	b := object{path: descs, size: layout.create, mode: mode, shared: c.shared(), first: first, wait: !how.find}
	bufFD, err := a.open(!how.find)
	if err != nil {
		return nil, err
	}
	defer unix.Close(bufFD)
	descsFD, err := b.open(!how.find)
	if err != nil {
		return nil, err
	}
	defer unix.Close(descsFD)
	r, err := mapRing(bufFD, descsFD, buf, descs)
	if err != nil {
		return nil, err
	}
	r.name, r.buf, r.descs = strings.TrimSuffix(buf, "_buf"), buf, descs
	if r.moved() {
		r.unmap()
		return nil, errVanished
	}
	return r, nil
}

// openInherited maps a ring whose descriptors somebody has handed over, and
// closes them: the mapping keeps the memory.
func openInherited(list string) (*ring, error) {
	a, b, _ := strings.Cut(list, ",")
	buf, err := strconv.ParseUint(a, 10, 31)
	if err == nil {
		var descs uint64
		descs, err = strconv.ParseUint(b, 10, 31)
		if err == nil {
			return adopt(int(buf), int(descs))
		}
	}
	return nil, fmt.Errorf("ring fd:%s: want two descriptors, fd:N,M", list)
}

func adopt(buf, descs int) (*ring, error) {
	for _, fd := range []int{buf, descs} {
		var st unix.Stat_t
		name := "fd:" + strconv.Itoa(fd)
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, fmt.Errorf("ring object %s: %w", name, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			return nil, unusable(name, "hand over two memory files", "no regular file")
		}
	}
	r, err := mapRing(buf, descs, fmt.Sprintf("fd:%d", buf), fmt.Sprintf("fd:%d", descs))
	if err != nil {
		return nil, err
	}
	r.name = fmt.Sprintf("fd:%d,%d", buf, descs)
	return r, errors.Join(unix.Close(buf), unix.Close(descs))
}

// checkSizes returns the layout of two objects of these sizes.
func checkSizes(ring, page int64, buf, descs string) (*layout, error) {
	l := layoutOf(page)
	switch {
	case page < layoutA.size:
		return nil, unusable(descs, remedyRemove, "%d bytes, want at least %d", page, layoutA.size)
	case l == layoutA && ring != ringSizeA:
		return nil, unusable(buf, remedyRemove, "%d bytes, want %d (layout A)", ring, ringSizeA)
	case !validSize(ring):
		return nil, unusable(buf, remedyRemove, "%d bytes, want a power of two from %d to %d (layout %s)", ring, minRing(), maxRing, l.name)
	}
	return l, nil
}

// mapRing maps two open objects and tells the layout by the size of the second.
func mapRing(bufFD, descsFD int, buf, descs string) (*ring, error) {
	var bst, dst unix.Stat_t
	if err := unix.Fstat(bufFD, &bst); err != nil {
		return nil, fmt.Errorf("ring object %s: %w", buf, err)
	}
	if err := unix.Fstat(descsFD, &dst); err != nil {
		return nil, fmt.Errorf("ring object %s: %w", descs, err)
	}
	l, err := checkSizes(bst.Size, dst.Size, buf, descs)
	if err != nil {
		return nil, err
	}
	// Objects of another program may have no memory yet. A page of layout A is
	// grown, so that what stands behind its end is part of it on every file
	// system.
	if err := provide(bufFD, buf, bst.Size); err != nil {
		return nil, err
	}
	if dst.Size == layoutA.size {
		if err := unix.Ftruncate(descsFD, layoutA.create); err != nil {
			return nil, fmt.Errorf("ring object %s: grow: %w", descs, err)
		}
	}
	if err := provide(descsFD, descs, dst.Size); err != nil {
		return nil, err
	}
	data, err := unix.Mmap(bufFD, 0, int(bst.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("ring object %s: mmap: %w", buf, err)
	}
	b, err := unix.Mmap(descsFD, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(data)
		return nil, fmt.Errorf("ring object %s: mmap: %w", descs, err)
	}
	r := &ring{
		page: newPage(b, l), data: data, size: uint32(bst.Size),
		id: [2]identity{identify(&bst), identify(&dst)},
	}
	if err := r.initialize(); err != nil {
		r.unmap()
		return nil, fmt.Errorf("ring object %s: %w", descs, err)
	}
	return r, nil
}

// provide puts memory behind an object, where the file system can.
func provide(fd int, path string, size int64) error {
	err := reserve(fd, size)
	switch {
	case err == nil, errors.Is(err, unix.EOPNOTSUPP):
		return nil
	case outOfSpace(err):
		return noSpace(path, size, err)
	}
	return fmt.Errorf("ring object %s: reserve: %w", path, err)
}

// initialize is done by whoever maps the objects first.
func (r *ring) initialize() (err error) {
	defer r.catch(arm(), &err)
	if r.initialized.CompareAndSwap(0, 1) {
		r.lock.Store(0)
		r.capturing.Store(0)
		r.stopped.Store(0)
		clear(r.lastPrint)
	}
	return nil
}

// moved reports whether the names stand for other objects than those mapped.
func (r *ring) moved() bool {
	if r.buf == "" {
		return false
	}
	buf, ok1 := named(r.buf)
	descs, ok2 := named(r.descs)
	return !ok1 || !ok2 || buf != r.id[0] || descs != r.id[1]
}

func (r *ring) unmap() {
	_ = unix.Munmap(r.data)
	_ = unix.Munmap(r.page.b)
}

// extension reports whether the consumer of the given pid and start time has
// written the extension.
func (r *ring) extension(pid int32, start uint64) bool {
	return start != 0 && r.start.Load() == start && int32(r.consumed.Load()) == pid &&
		r.magic.Load() == extMagic && r.version.Load() == extVersion && r.extSize.Load() >= extLeast
}
