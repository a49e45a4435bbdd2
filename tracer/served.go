package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// Some files are served by a process, and memory may be a part of such a file.
// Whoever looks at them waits for the server. If that is a tracee the tracer
// must not: the server would stop at its next call, and nobody would let it go
// on. Nor may the server of one thread's file hold up all the others.
//
// Memory with a handler for faults (userfaultfd) is no such case: what reads
// /proc/PID/mem may not be made to wait (mm/userfaultfd.c, handle_userfault,
// without FAULT_FLAG_ALLOW_RETRY) and finds the memory unreadable.

// served is what is known of such files. Until there are any nothing is done
// about them.
type served struct {
	mounts bool // there are such file systems
	memory bool // and tracees have mounted one, or may: memory may be a part of it
	locks  bool // who has locked a socket may wait for memory meanwhile

	busy chan struct{} // an element for each helper at work
}

const (
	patience      = 5 * time.Millisecond   // how long a tracee is held for an answer
	otherPatience = 500 * time.Millisecond // and where it cannot be a tracee that has to give it
	maxHelpers    = 8                      // that wait for servers at a time
)

func (s *served) init() {
	s.busy = make(chan struct{}, maxHelpers)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	s.mounts = err != nil || anyServed(mounts)
}

// look is called for a process that runs already, which may have such memory.
func (s *served) look(pid int) {
	mounts, err := os.ReadFile(procPath(pid, "mountinfo"))
	if err != nil || anyServed(mounts) {
		s.mounts, s.memory = true, true
	}
}

// anyServed reports whether a content of /proc/PID/mountinfo has such a file
// system: the type is the first field behind the one that is a dash.
func anyServed(mountinfo []byte) bool {
	for line := range bytes.Lines(mountinfo) {
		if _, rest, ok := bytes.Cut(line, []byte(" - ")); ok {
			if typ, _, _ := bytes.Cut(rest, []byte(" ")); isServed(typ) {
				return true
			}
		}
	}
	return false
}

// isServed reports whether file systems of a type are served by a process, here
// or on another machine.
func isServed(typ []byte) bool {
	if bytes.Equal(typ, []byte("fuse")) || bytes.Equal(typ, []byte("fuseblk")) || bytes.HasPrefix(typ, []byte("fuse.")) {
		return true
	}
	return slices.Contains([]string{"9p", "afs", "autofs", "ceph", "cifs", "coda", "nfs", "nfs4", "orangefs", "smb3", "virtiofs"}, string(typ))
}

// mounted is called at the entry of a mount or fsopen.
func (t *Tracer) mounted(th *thread) {
	c := &th.call
	typ := c.args[0]
	if syscalls.Calls[c.spec.index].Name == "mount" {
		typ = c.args[2]
	}
	text, ok := th.proc.mem.appendString(t.scratch[:0], typ, maxPath-1)
	if isServed(text) || !ok && typ != 0 {
		t.served.mounts, t.served.memory, t.served.locks = true, true, true
	}
}

// helper reports whether there is one for [answer].
func (s *served) helper() bool {
	select {
	case s.busy <- struct{}{}:
		return true
	default:
		return false
	}
}

// patience is how long a tracee is held for an answer: one that does not come leaves open
// whether a name has led to another file, so a busy machine is to have time for it.
func (s *served) patience() time.Duration {
	if s.memory {
		return patience
	}
	return otherPatience
}

// answer is what f, a helper's work, returns, or false if that takes too long. f
// is left to end in its own time, so it may not use what belongs to the tracer.
func answer[T any](s *served, f func() T) (v T, ok bool) {
	c := make(chan T, 1)
	go func() {
		c <- f()
		<-s.busy
	}()
	timer := time.NewTimer(s.patience())
	defer timer.Stop()
	select {
	case v = <-c:
		return v, true
	case <-timer.C:
		return v, false
	}
}

// statPath is [sys.StatPath] of a path, with which a server may have to do. It
// is EAGAIN if that takes too long.
func (s *served) statPath(path []byte, st *unix.Stat_t) unix.Errno {
	if s == nil || !s.mounts {
		return sys.StatPath(path, st)
	}
	return ask(s, path, unix.Stat, st)
}

// statFS is [sys.StatFS], as statPath.
func (s *served) statFS(path []byte, st *unix.Statfs_t) unix.Errno {
	if s == nil || !s.mounts {
		return sys.StatFS(path, st)
	}
	return ask(s, path, unix.Statfs, st)
}

// ask calls f, which fills to, for a path that ends with a NUL.
func ask[T any](s *served, path []byte, f func(string, *T) error, to *T) unix.Errno {
	type result struct {
		v   T
		err error
	}
	name := string(bytes.TrimSuffix(path, []byte{0}))
	if !s.helper() {
		return unix.EAGAIN
	}
	r, ok := answer(s, func() (r result) {
		r.err = f(name, &r.v)
		return r
	})
	if !ok {
		return unix.EAGAIN
	}
	*to = r.v
	errno := unix.Errno(0)
	errors.As(r.err, &errno)
	return errno
}

// Entries of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
const (
	pagemapEntry   = 8 // bytes, one for each page
	pagemapPresent = 1 << 63
	pagemapSwapped = 1 << 62
)

// present is how many of n bytes at addr are in pages that nobody has to be
// waited for: in memory, or swapped out. It is none where that is not told.
func (m *memory) present(addr uint64, n int) int {
	if m.pages == 0 {
		fd, err := unix.Open(procPath(m.holder(), "pagemap"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return 0
		}
		m.pages = fd + 1
	}
	var entries [32 * pagemapEntry]byte
	end := addr + uint64(n)
	if end < addr {
		return 0
	}
	for at := addr &^ (pageSize - 1); at < end; {
		want := min((end-at+pageSize-1)/pageSize*pagemapEntry, uint64(len(entries)))
		got, _ := sys.Pread(m.pages-1, entries[:want], at/pageSize*pagemapEntry)
		for e := entries[:got]; len(e) >= pagemapEntry; e = e[pagemapEntry:] {
			if binary.NativeEndian.Uint64(e)&(pagemapPresent|pagemapSwapped) == 0 {
				return int(max(at, addr) - addr)
			}
			at += pageSize
		}
		if uint64(got) < want {
			return int(min(max(at, addr)-addr, uint64(n)))
		}
	}
	return n
}
