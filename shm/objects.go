package shm

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
)

// DefaultPrefix names udig's own pair of objects.
const DefaultPrefix = "udig"

// directory is where objects without a path are: that of shm_open(3).
const directory = "/dev/shm"

// Config says which ring.
type Config struct {
	// Prefix of the two objects, of which the names end in _buf and _descs: a
	// name below /dev/shm, or a path; or "fd:N,M", the descriptors of the two,
	// see [Private]. Empty is [DefaultPrefix].
	Prefix string
	// Mode of objects that have to be created; 0 is 0600.
	Mode os.FileMode
}

// ErrObject means that an object cannot be the part of a ring that its name
// says.
var ErrObject = errors.New("not usable as a ring")

// objectError says what is wrong with an object, and what to do.
func objectError(path, problem, remedy string) error {
	return fmt.Errorf("ring object %s: %s: %w: %s", path, problem, ErrObject, remedy)
}

// ring is a pair of mapped objects.
type ring struct {
	page
	data []byte // the bytes of the records, mapped twice in a row
	size uint32 // of one of the two
	name string
}

func (c Config) mode() uint32 {
	if c.Mode == 0 {
		return 0o600
	}
	return uint32(c.Mode.Perm())
}

// paths returns the names of the two objects.
func (c Config) paths() (buf, descs string) {
	prefix := c.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if !strings.Contains(prefix, "/") {
		prefix = directory + "/" + prefix
	}
	return prefix + "_buf", prefix + "_descs"
}

// open opens or creates the objects and maps them. Whoever comes first
// creates them. foreign says that objects of other users are welcome.
func (c Config) open(foreign bool) (*ring, error) {
	if list, ok := strings.CutPrefix(c.Prefix, "fd:"); ok {
		return openInherited(list)
	}
	buf, descs := c.paths()
	bufFD, err := openObject(buf, ringSizeA, c.mode(), foreign)
	if err != nil {
		return nil, err
	}
	defer unix.Close(bufFD)
	descsFD, err := openObject(descs, pageSize, c.mode(), foreign)
	if err != nil {
		return nil, err
	}
	defer unix.Close(descsFD)
	r, err := mapRing(bufFD, descsFD, buf, descs)
	if err != nil {
		return nil, err
	}
	if r.layout == layoutA && r.size != ringSizeA {
		r.unmap()
		return nil, objectError(buf, fmt.Sprintf("%d bytes, want %d", r.size, ringSizeA), "remove it while nobody uses it")
	}
	return r, nil
}

// openInherited maps a ring whose descriptors somebody handed over. They are
// closed: the mapping keeps the memory.
func openInherited(list string) (*ring, error) {
	a, b, _ := strings.Cut(list, ",")
	buf, err1 := strconv.Atoi(a)
	descs, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil || buf < 0 || descs < 0 {
		return nil, fmt.Errorf("ring fd:%s: want two descriptors, fd:N,M", list)
	}
	r, err := mapRing(buf, descs, "fd:"+a, "fd:"+b)
	if err != nil {
		return nil, err
	}
	unix.Close(buf)
	unix.Close(descs)
	return r, nil
}

// openTries bounds how often an object is looked up that others create and
// remove at the same time.
const openTries = 100

// openObject opens the object at path, or creates it with a size if there is
// none. An object that appears has its full size from the first moment.
func openObject(path string, size int64, mode uint32, foreign bool) (int, error) {
	for range openTries {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		switch {
		case err == nil:
			if err := checkObject(fd, path, foreign); err != nil {
				unix.Close(fd)
				if errors.Is(err, errVanished) {
					continue
				}
				return -1, err
			}
			return fd, nil
		case !errors.Is(err, unix.ENOENT):
			return -1, openError(path, err)
		}
		if err := createObject(path, size, mode); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
	}
	return -1, objectError(path, "others create and remove it all the time", "end them")
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.EACCES):
		return objectError(path, "permission denied", "run as its owner, or let its creator give it a wider mode (--ring-mode)")
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return objectError(path, "no regular file", "remove it")
	}
	return fmt.Errorf("ring object %s: %w", path, err)
}

// errVanished means that the object was removed while it was opened.
var errVanished = errors.New("removed")

// emptyWait is how long another program may take between creating an object
// and giving it its size.
const emptyWait = time.Second

// checkObject looks at what was opened before anybody trusts its size.
func checkObject(fd int, path string, foreign bool) error {
	var st, now unix.Stat_t
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if err := unix.Fstat(fd, &st); err != nil {
			return fmt.Errorf("ring object %s: %w", path, err)
		}
		if st.Size > 0 || time.Since(start) > emptyWait {
			break
		}
	}
	// Creation can race in a way that leaves two processes with two files of
	// the same name: only the one that the name stands for counts.
	if unix.Stat(path, &now) != nil || now.Ino != st.Ino || now.Dev != st.Dev || st.Nlink == 0 {
		return errVanished
	}
	switch owner := int(st.Uid); {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return objectError(path, "no regular file", "remove it")
	case st.Size == 0:
		return objectError(path, "it is empty", "remove it")
	case !foreign && owner != 0 && owner != os.Geteuid():
		return objectError(path, fmt.Sprintf("it belongs to user %d, who could read all events", owner), "remove it, or use another --ring")
	}
	return nil
}

// createObject makes an object that appears under its name complete, or not at
// all. EEXIST means that somebody else was faster.
func createObject(path string, size int64, mode uint32) error {
	temp := fmt.Sprintf("%s.%d.new", path, os.Getpid())
	fd, err := unix.Open(temp, unix.O_RDWR|unix.O_CLOEXEC|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return createError(path, err)
	}
	defer unix.Close(fd)
	defer unix.Unlink(temp)
	if err := unix.Fchmod(fd, mode); err != nil {
		return createError(path, err)
	}
	if err := reserve(fd, size); err != nil {
		return createError(path, err)
	}
	if err := unix.Link(temp, path); err != nil {
		return createError(path, err)
	}
	return nil
}

// reserve gives an object its size with memory behind every byte, so that
// writing into it cannot end in a SIGBUS.
func reserve(fd int, size int64) error {
	for {
		err := unix.Fallocate(fd, 0, 0, size)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func createError(path string, err error) error {
	dir := path[:strings.LastIndexByte(path, '/')+1]
	switch {
	case errors.Is(err, unix.EEXIST):
		return unix.EEXIST
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("ring object %s: there is no directory %s: mount a tmpfs there, or name another place with --ring PATH", path, dir)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("ring object %s: %s is full: a ring needs 8 MiB; give it more (docker: --shm-size), or name another place with --ring PATH", path, dir)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS):
		return fmt.Errorf("ring object %s: %s cannot be written (%w): name another place with --ring PATH", path, dir, err)
	}
	return fmt.Errorf("ring object %s: %w", path, err)
}

// minRing is the smallest ring, in pages, that other readers accept.
const minRing = 3

// mapRing maps two open objects.
func mapRing(bufFD, descsFD int, buf, descs string) (*ring, error) {
	var bst, dst unix.Stat_t
	if err := unix.Fstat(bufFD, &bst); err != nil {
		return nil, fmt.Errorf("ring object %s: %w", buf, err)
	}
	if err := unix.Fstat(descsFD, &dst); err != nil {
		return nil, fmt.Errorf("ring object %s: %w", descs, err)
	}
	if dst.Size < layoutA.size {
		return nil, objectError(descs, fmt.Sprintf("%d bytes, want at least %d", dst.Size, layoutA.size), "remove it while nobody uses it")
	}
	if n := bst.Size; n < minRing*pageSize || n > 1<<31 || n&(n-1) != 0 {
		return nil, objectError(buf, fmt.Sprintf("%d bytes, want a power of two of at least %d", n, minRing*pageSize), "remove it while nobody uses it")
	}
	data, err := sys.MapTwice(bufFD, int(bst.Size))
	if err != nil {
		return nil, fmt.Errorf("ring object %s: %w", buf, err)
	}
	b, err := unix.Mmap(descsFD, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = sys.UnmapTwice(data)
		return nil, fmt.Errorf("ring object %s: mmap: %w", descs, err)
	}
	r := &ring{page: page{b: b, layout: layoutOf(dst.Size)}, data: data, size: uint32(bst.Size), name: buf}
	r.initialize()
	return r, nil
}

// initialize is done by whoever maps the objects first.
func (r *ring) initialize() {
	if r.status(offInitialized).CompareAndSwap(0, 1) {
		r.lock().Store(0)
		r.status(offCapturing).Store(0)
		r.status(offStopped).Store(0)
	}
}

func (r *ring) unmap() {
	_ = sys.UnmapTwice(r.data)
	_ = unix.Munmap(r.page.b)
	r.data, r.page.b = nil, nil
}

// extended reports whether the page holds our extension and the process that
// it names is, by pid and start time, the given one.
func (r *ring) extended(pid int32) bool {
	if r.layout != layoutA || r.u64(offMagic).Load() != extMagic || r.u32(offVersion).Load() != extVersion {
		return false
	}
	if int32(r.u32(offExtConsumer).Load()) != pid {
		return false
	}
	start, ok := startTime(int(pid))
	return ok && r.u64(offExtStart).Load() == start
}
