package state

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pdig/pdig/event"
)

// Thread returns the name of any thread: [event.Names].
func (t *Table) Thread(tid int64) (comm string, ok bool) {
	th := t.threads[tid]
	if th == nil {
		if th = t.find(tid); th == nil {
			return "", false
		}
	}
	if tid == 0 && th.Comm == unknown { // an idle CPU, of which kernels tell too
		return "", false
	}
	return th.Comm, true
}

// FD returns what a descriptor of the event's thread is: [event.Names].
func (t *Table) FD(fd int64) (event.FDName, bool) {
	d, ok := t.cur.files.fds[fd]
	return d.FDName, ok
}

// Letters returns which letters the descriptors of the event's thread have.
func (t *Table) Letters() (open [128]bool) {
	for _, d := range t.cur.files.fds {
		open[d.Letter&0x7f] = true
	}
	return open
}

// Cwd returns the working directory of the event's thread: [event.Names].
func (t *Table) Cwd() string { return t.cur.dir.path }

// superuser names user 0 if there is one and nobody has told its name, as today's
// libsinsp does.
func (t *Table) superuser(uid uint32) {
	if t.cfg.Sysdig && t.newest() && uid == 0 && t.users[0] == "" {
		t.users.add(0, "root")
	}
}

// User returns the name of a user: [event.Names].
func (t *Table) User(uid uint32) string { return t.users[uid] }

// Group returns the name of a group: [event.Names].
func (t *Table) Group(gid uint32) string { return t.groups[gid] }

// homes are what a file of users says besides their names.
type homes map[uint32]home

type home struct{ dir, shell string }

func (h homes) add(uid uint32, of home) {
	if _, ok := h[uid]; !ok && len(h) < maxNames {
		of.dir, of.shell = cut(of.dir, maxNameSize), cut(of.shell, maxNameSize)
		h[uid] = of
	}
}

// Home returns the home directory and the shell of a user, "" if not known.
func (t *Table) Home(uid uint32) (dir, shell string) {
	h := t.homes[uid]
	return h.dir, h.shell
}

// names are the names of users or groups by their number.
type names map[uint32]string

// Bounds of a file of users or groups.
const (
	maxNamesFile = 16 << 20
	maxNamesLine = 1 << 20
)

// readNames reads passwd(5) or group(5) under root/etc. Of several names of a
// number the first counts, and its home goes into h. What cannot be read has no
// names.
func readNames(root, file string, h homes) names {
	n := names{}
	f, err := os.Open(filepath.Join(root, "etc", file))
	if err != nil {
		return n
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxNamesFile))
	lines.Buffer(nil, maxNamesLine)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 3 || fields[0] == "" {
			continue
		}
		id, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			continue
		}
		n.add(uint32(id), fields[0])
		if len(fields) == 7 {
			h.add(uint32(id), home{fields[5], fields[6]})
		}
	}
	return n
}

// maxNames bounds what a file, or a capture, can make of it.
const (
	maxNames    = 1 << 18
	maxNameSize = 256
)

// add names a number that has no name yet.
func (n names) add(id uint32, name string) {
	if _, ok := n[id]; !ok && len(n) < maxNames {
		n[id] = cut(name, maxNameSize)
	}
}

// put names one, whether it has a name or not.
func (n names) put(id uint32, name string) {
	delete(n, id)
	n.add(id, name)
}

// cut is a text of most bytes at most, with memory of its own if it is shorter.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.Clone(s[:most])
}
