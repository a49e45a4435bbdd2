package shm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func stat(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return st
}

func TestCreate(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	for _, tt := range []struct {
		cfg         Config
		mode        uint32
		size, descs int64
	}{
		{Config{}, 0o600, 8 << 20, 4096},
		{Config{Mode: 0o666}, 0o666, 8 << 20, 4096},
		{Config{Mode: 0o640, Size: 1 << 16}, 0o640, 1 << 16, 240},
	} {
		tt.cfg.Prefix = testRing(t)
		newConsumer(t, tt.cfg)
		buf, descs := stat(t, tt.cfg.Prefix+"_buf"), stat(t, tt.cfg.Prefix+"_descs")
		if buf.Size != tt.size || descs.Size != tt.descs {
			t.Errorf("%+v: sizes %d and %d, want %d and %d", tt.cfg, buf.Size, descs.Size, tt.size, tt.descs)
		}
		if buf.Mode&0o777 != tt.mode || descs.Mode&0o777 != tt.mode {
			t.Errorf("%+v: modes %#o and %#o, want %#o", tt.cfg, buf.Mode, descs.Mode, tt.mode)
		}
		if buf.Blocks*512 < tt.size {
			t.Errorf("%+v: only %d bytes are reserved", tt.cfg, buf.Blocks*512)
		}
		entries, err := os.ReadDir(filepath.Dir(tt.cfg.Prefix))
		if err != nil || len(entries) != 2 {
			t.Errorf("%v, %v: want the two objects and nothing else", entries, err)
		}
	}
}

// TestCreateUnnamed: nothing has a name before it is complete, which would stay
// if the creator was killed.
func TestCreateUnnamed(t *testing.T) {
	prefix := testRing(t)
	fd, err := unix.Open(filepath.Dir(prefix), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("needs a file system with O_TMPFILE for temporary files")
	}
	must(t, err)
	must(t, unix.Close(fd))
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	defer unix.Close(watch)
	_, err = unix.InotifyAddWatch(watch, filepath.Dir(prefix), unix.IN_CREATE)
	must(t, err)
	newConsumer(t, Config{Prefix: prefix})
	b := make([]byte, 4096)
	n, err := unix.Read(watch, b)
	must(t, err)
	var names []string
	for b = b[:n]; len(b) > 0; {
		size := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(b[12:])
		names = append(names, string(bytes.TrimRight(b[unix.SizeofInotifyEvent:size], "\x00")))
		b = b[size:]
	}
	if got, want := fmt.Sprint(names), "[ring_buf ring_descs]"; got != want {
		t.Errorf("names that appeared: %s, want %s", got, want)
	}
}

func TestDefaultName(t *testing.T) {
	for prefix, want := range map[string]string{
		"":           "/dev/shm/udig",
		"other":      "/dev/shm/other",
		"/run/x/y":   "/run/x/y",
		"./relative": "./relative",
	} {
		cfg := Config{Prefix: prefix}
		buf, descs, err := cfg.paths()
		if err != nil || buf != want+"_buf" || descs != want+"_descs" {
			t.Errorf("prefix %q: %q, %q, %v, want those of %q", prefix, buf, descs, err, want)
		}
	}
}

// foreign makes a pair of objects as another program would.
func foreign(t *testing.T, prefix string, size, descs int64) {
	t.Helper()
	for name, n := range map[string]int64{prefix + "_buf": size, prefix + "_descs": descs} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, n); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForeign opens what others have created, in all sizes that are right.
func TestForeign(t *testing.T) {
	for _, tt := range []struct {
		size, descs int64
		layout      string
		grown       int64
	}{
		{8 << 20, 128, "A", 4096},
		{8 << 20, 4096, "A", 4096},
		{8 << 20, 224, "B", 224},
		{8 << 20, 240, "C", 240},
		{smallRing, 224, "B", 224},
		{32 << 20, 240, "C", 240},
	} {
		prefix := testRing(t)
		foreign(t, prefix, tt.size, tt.descs)
		c, p := newPair(t, Config{Prefix: prefix})
		if c.layout.name != tt.layout || int64(c.size) != tt.size {
			t.Errorf("%+v: layout %s, %d bytes", tt, c.layout.name, c.size)
		}
		if got := stat(t, prefix+"_descs").Size; got != tt.grown {
			t.Errorf("%+v: the page has %d bytes, want %d", tt, got, tt.grown)
		}
		if got := stat(t, prefix+"_buf").Blocks * 512; got < tt.size {
			t.Errorf("%+v: only %d bytes are reserved", tt, got)
		}
		if c.initialized.Load() != 1 {
			t.Errorf("%+v: not initialised", tt)
		}
		want := record(1, 2, 100)
		p.Write(want, Normal)
		if rec, err := next(c); err != nil || !bytes.Equal(rec, want) {
			t.Errorf("%+v: got %x, %v", tt, rec, err)
		}
	}
}

// TestInitialize: the first to map the objects clears what others wrote into
// the status, and nobody else does.
func TestInitialize(t *testing.T) {
	prefix := testRing(t)
	foreign(t, prefix, 8<<20, 128)
	page := make([]byte, 128)
	for i := 48; i < 88; i++ {
		page[i] = 0xff
	}
	copy(page[56:], []byte{0, 0, 0, 0})
	if err := os.WriteFile(prefix+"_descs", page, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProducer(t, ProducerConfig{Config: Config{Prefix: prefix}})
	for name, got := range map[string]uint64{
		"lock": p.lock.Load(), "pid": uint64(p.capturing.Load()), "stopped": uint64(p.stopped.Load()), "time": uint64(p.lastPrint[0]),
	} {
		if got != 0 {
			t.Errorf("%s is %#x after initialisation", name, got)
		}
	}
	p.lock.Store(5)
	p2 := newProducer(t, ProducerConfig{Config: Config{Prefix: prefix}})
	if p2.lock.Load() != 5 {
		t.Error("initialised twice")
	}
}

// TestBadObjects: one line each that names what is wrong and what helps.
func TestBadObjects(t *testing.T) {
	const remedy = "remove it while nobody uses it, or name another ring with --ring"
	mkfile := func(size int64) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		object string
		make   func(t *testing.T, path string)
		cfg    Config
		want   string
	}{
		"ring too small":       {"_buf", mkfile(4096), Config{}, "4096 bytes, want 8388608 (layout A): " + remedy},
		"ring empty":           {"_buf", mkfile(0), Config{}, "it is empty: " + remedy},
		"page empty":           {"_descs", mkfile(0), Config{}, "it is empty: " + remedy},
		"page too small":       {"_descs", mkfile(127), Config{}, "127 bytes, want at least 128: " + remedy},
		"no power of two":      {"_buf", mkfile(12 << 10), Config{Size: smallRing}, "12288 bytes, want a power of two from 16384 to 1073741824 (layout C): " + remedy},
		"two pages":            {"_buf", mkfile(8 << 10), Config{Size: smallRing}, "8192 bytes, want a power of two from 16384 to 1073741824 (layout C): " + remedy},
		"huge":                 {"_buf", mkfile(1 << 32), Config{Size: smallRing}, "4294967296 bytes, want a power of two from 16384 to 1073741824 (layout C): " + remedy},
		"small ring, layout A": {"_descs", mkfile(128), Config{Size: smallRing}, ""},
		"directory":            {"_buf", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, Config{}, "no regular file: " + remedy},
		"pipe":                 {"_descs", func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o600)) }, Config{}, "no regular file: " + remedy},
		"socket":               {"_buf", func(t *testing.T, path string) { must(t, unix.Mknod(path, unix.S_IFSOCK|0o600, 0)) }, Config{}, "no regular file: " + remedy},
		"link":                 {"_buf", func(t *testing.T, path string) { must(t, os.Symlink("/dev/null", path)) }, Config{}, "no regular file: " + remedy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some wait for a size
			tt.cfg.Prefix = testRing(t)
			path := tt.cfg.Prefix + tt.object
			tt.make(t, path)
			want := "ring object " + path + ": " + tt.want
			if tt.want == "" {
				want = fmt.Sprintf("ring object %s_buf: %d bytes, want 8388608 (layout A): %s", tt.cfg.Prefix, smallRing, remedy)
			}
			_, err := NewConsumer(ConsumerConfig{Config: tt.cfg})
			if err == nil || err.Error() != want || !errors.Is(err, ErrObject) {
				t.Errorf("consumer:\n got %v\nwant %s", err, want)
			}
			if name == "ring empty" || name == "page empty" {
				return // the second wait shows nothing new
			}
			_, err = NewProducer(ProducerConfig{Config: tt.cfg})
			if err == nil || err.Error() != want || !errors.Is(err, ErrObject) {
				t.Errorf("producer:\n got %v\nwant %s", err, want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBadConfig(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Size: 5000}, "ring size 5000: want a power of two from 16384 to 1073741824"},
		{Config{Size: 8192}, "ring size 8192: want a power of two from 16384 to 1073741824"},
		{Config{Size: -1}, "ring size -1: want a power of two from 16384 to 1073741824"},
		{Config{Prefix: "a\x00b"}, `ring "a\x00b": a name has no NUL byte`},
		{Config{Prefix: "fd:3"}, "ring fd:3: want two descriptors, fd:N,M"},
		{Config{Prefix: "fd:-3,4"}, "ring fd:-3,4: want two descriptors, fd:N,M"},
		{Config{Prefix: "fd:x,y"}, "ring fd:x,y: want two descriptors, fd:N,M"},
		{Config{Prefix: "fd:1000000,1000001"}, "ring object fd:1000000: bad file descriptor"},
		{Config{Prefix: "/nowhere/at/all"}, "ring object /nowhere/at/all_buf: there is no directory /nowhere/at: mount a tmpfs there, or name another place with --ring PATH"},
		{Config{Prefix: "/dev/null/x"}, "ring object /dev/null/x_buf: there is no directory /dev/null: mount a tmpfs there, or name another place with --ring PATH"},
		{Config{Prefix: "/proc/x"}, "ring object /proc/x_buf: there is no directory /proc: mount a tmpfs there, or name another place with --ring PATH"},
	} {
		_, err := NewProducer(ProducerConfig{Config: tt.cfg})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%+v:\n got %v\nwant %s", tt.cfg, err, tt.want)
		}
	}
}

// TestOwner: a ring of somebody else is used only when it is meant to be
// shared.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_CHOWN to make a ring of another user")
	}
	const other = 4711
	for _, object := range []string{"_buf", "_descs"} {
		prefix := testRing(t)
		foreign(t, prefix, 8<<20, 128)
		path := prefix + object
		must(t, os.Chown(path, other, other))
		want := "ring object " + path + ": it belongs to user 4711, who sees and can change all that is in it: share the ring with --ring-mode 0666, use another --ring, or remove it"
		if _, err := NewProducer(ProducerConfig{Config: Config{Prefix: prefix}}); err == nil || err.Error() != want {
			t.Errorf("producer:\n got %v\nwant %s", err, want)
		}
		if _, err := NewConsumer(ConsumerConfig{Config: Config{Prefix: prefix}}); err == nil || err.Error() != want {
			t.Errorf("consumer:\n got %v\nwant %s", err, want)
		}
		newPair(t, Config{Prefix: prefix, Mode: 0o666})
	}
}

func init() {
	roles["open"] = func(args []string) error {
		_, err := NewProducer(ProducerConfig{Config: Config{Prefix: args[0]}})
		return err
	}
}

// TestOtherUser opens rings of root as somebody else.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_SETUID to become another user")
	}
	dir, err := os.MkdirTemp("", "ring") // t.TempDir lets nobody else in
	must(t, err)
	defer os.RemoveAll(dir)
	must(t, os.Chmod(dir, 0o755))
	for name, tt := range map[string]struct {
		mode os.FileMode
		want string
	}{
		"closed": {0o600, "ring object %s_buf: permission denied: it belongs to user 0 and has mode 0600: run as that user, have the ring created with --ring-mode 0666, or use another --ring\n"},
		"open":   {0o666, ""},
		"none":   {0, "ring object %s_buf: cannot be created: " + dir + " is not writable: name another place with --ring PATH\n"},
	} {
		prefix := filepath.Join(dir, name)
		if tt.mode != 0 {
			newConsumer(t, Config{Prefix: prefix, Mode: tt.mode})
		}
		cmd := helper("open", prefix)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4711, Gid: 4711}}
		_ = cmd.Run()
		want := tt.want
		if strings.Contains(want, "%s") {
			want = fmt.Sprintf(want, prefix)
		}
		if stderr.String() != want {
			t.Errorf("%s:\n got %s\nwant %s", name, &stderr, want)
		}
	}
}

func init() {
	// In a mount namespace of its own it mounts a file system and makes a ring.
	roles["mount"] = func(args []string) error {
		dir, fs, options, prefix := args[0], args[1], args[2], args[3]
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("mount: private: %w", err)
		}
		if err := unix.Mount("none", dir, fs, 0, options); err != nil {
			return fmt.Errorf("mount: %s: %w", fs, err)
		}
		switch kind := args[4:]; {
		case len(kind) == 0:
		case kind[0] == "crowd":
			return crowd(prefix)
		case kind[0] == "sparse": // others have made a ring that has no memory
			for name, size := range map[string]int64{"_buf": 8 << 20, "_descs": 128} {
				if err := errors.Join(os.WriteFile(prefix+name, nil, 0o600), os.Truncate(prefix+name, size)); err != nil {
					return err
				}
			}
		}
		c, err := NewConsumer(ConsumerConfig{Config: Config{Prefix: prefix}})
		entries, _ := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("%d left: %w", len(entries), err)
		}
		p, err := NewProducer(ProducerConfig{Config: Config{Prefix: prefix}})
		if err != nil {
			return err
		}
		rec := record(1, 1, 1000)
		for p.Write(rec, Vital) {
		}
		if n, want := c.head.Load()/1000, uint32(ringSizeA-1)/1000; n != want {
			return fmt.Errorf("%d records, want %d", n, want)
		}
		return nil
	}
}

// crowd opens a ring many times at once.
func crowd(prefix string) error {
	errs := make(chan error)
	const n = 16
	for range n {
		go func() {
			_, err := (&Config{Prefix: prefix}).open(opening{})
			errs <- err
		}()
	}
	var err error
	for range n {
		err = errors.Join(err, <-errs)
	}
	return err
}

// inMountNamespace runs the role mount, and returns what it said.
func inMountNamespace(t *testing.T, args ...string) string {
	t.Helper()
	cmd := helper("mount", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	err := cmd.Run()
	if errors.Is(err, unix.EPERM) || strings.HasPrefix(stderr.String(), "mount: ") && strings.Contains(stderr.String(), "not permitted") {
		t.Skip("needs CAP_SYS_ADMIN, or user namespaces, to mount a file system in a mount namespace")
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSuffix(stderr.String(), "\n")
}

func TestFull(t *testing.T) {
	dir := t.TempDir()
	prefix := dir + "/ring"
	want := "ring object " + prefix + "_buf: " + dir + " is full: 8388608 bytes are needed: make it larger (docker: --shm-size), or name another place with --ring PATH"
	if got := inMountNamespace(t, dir, "tmpfs", "size=1m", prefix); got != "0 left: "+want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := inMountNamespace(t, dir, "tmpfs", "size=1m", prefix, "sparse"); got != "2 left: "+want {
		t.Errorf("ring of others without memory:\ngot  %s\nwant %s", got, want)
	}
	// There is room for the ring, and none for the page.
	want = "ring object " + prefix + "_descs: " + dir + " is full: 4096 bytes are needed: make it larger (docker: --shm-size), or name another place with --ring PATH"
	if got := inMountNamespace(t, dir, "tmpfs", "size=8m", prefix); got != "1 left: "+want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = strings.Replace(want, "4096 bytes", "128 bytes", 1)
	if got := inMountNamespace(t, dir, "tmpfs", "size=8m", prefix, "sparse"); got != "2 left: "+want {
		t.Errorf("page of others without memory:\ngot  %s\nwant %s", got, want)
	}
	if got := inMountNamespace(t, dir, "tmpfs", "size=9m", prefix); got != "" {
		t.Errorf("a file system that is large enough: %s", got)
	}
	// Each that comes first in a crowd would fill it for the others.
	if got := inMountNamespace(t, dir, "tmpfs", "size=9m", prefix, "crowd"); got != "" {
		t.Errorf("a crowd: %s", got)
	}
}

// TestNoFallocate uses a file system that cannot reserve memory.
func TestNoFallocate(t *testing.T) {
	dir := t.TempDir()
	got := inMountNamespace(t, dir, "ramfs", "", dir+"/ring")
	if strings.Contains(got, "operation not permitted") {
		t.Skip("needs CAP_SYS_ADMIN in the first user namespace to mount ramfs")
	}
	if got != "" {
		t.Error(got)
	}
}

func init() {
	// It opens a ring when the line comes, and tells which objects it has.
	roles["race"] = func(args []string) error {
		fmt.Println("ready")
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return err
		}
		r, err := (&Config{Prefix: args[0]}).open(opening{})
		if err != nil {
			return err
		}
		fmt.Println(r.id, r.initialized.Load(), r.capturing.Load())
		return nil
	}
}

// TestCreationRace lets processes create the same ring at once: all get the
// same objects, in their full size.
func TestCreationRace(t *testing.T) {
	const processes, rounds = 16, 4
	for range rounds {
		prefix := testRing(t)
		var stdin []*os.File
		var out []*bufio.Reader
		for range processes {
			cmd := helper("race", prefix)
			r, w, err := os.Pipe()
			must(t, err)
			defer w.Close()
			cmd.Stdin = r
			out = append(out, bufio.NewReader(start(t, cmd)))
			stdin = append(stdin, w)
			r.Close()
		}
		for _, o := range out {
			if _, err := o.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range stdin {
			if _, err := w.WriteString("\n"); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]int{}
		for _, o := range out {
			line, _ := o.ReadString('\n')
			got[line]++
		}
		buf, descs := stat(t, prefix+"_buf"), stat(t, prefix+"_descs")
		want := fmt.Sprintln([2]identity{identify(&buf), identify(&descs)}, 1, 0)
		if got[want] != processes {
			t.Errorf("%d processes: got %v, want all %s", processes, got, want)
		}
		entries, err := os.ReadDir(filepath.Dir(prefix))
		if err != nil || len(entries) != 2 {
			t.Errorf("%v, %v: want the two objects and nothing else", entries, err)
		}
	}
}

// TestSlowCreation opens a ring that another program is about to create, in the
// steps in which it does.
func TestSlowCreation(t *testing.T) {
	prefix := testRing(t)
	foreign(t, prefix, 0, 0)
	var wg sync.WaitGroup
	wg.Add(1)
	started := make(chan struct{})
	go func() {
		defer wg.Done()
		close(started)
		c, err := NewConsumer(ConsumerConfig{Config: Config{Prefix: prefix}})
		if err != nil {
			t.Error(err)
			return
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	<-started
	must(t, os.Truncate(prefix+"_buf", 8<<20))
	must(t, os.Truncate(prefix+"_descs", 128))
	wg.Wait()
}

// TestReplaced: an object whose name stands for another by the time it is open
// is not used.
func TestReplaced(t *testing.T) {
	prefix := testRing(t)
	foreign(t, prefix, 8<<20, 0)
	old := stat(t, prefix+"_descs")
	done := make(chan error)
	go func() {
		c, err := NewConsumer(ConsumerConfig{Config: Config{Prefix: prefix}})
		if err == nil {
			if c.id[1] == identify(&old) {
				err = errors.New("the removed object was used")
			}
			err = errors.Join(err, c.Close())
		}
		done <- err
	}()
	// The other program has lost a race and removes what it has created.
	must(t, os.WriteFile(prefix+"_new", make([]byte, 128), 0o600))
	must(t, os.Rename(prefix+"_new", prefix+"_descs"))
	if err := <-done; err != nil {
		t.Error(err)
	}
}
