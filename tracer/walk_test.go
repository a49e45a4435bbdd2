package tracer

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWalkInRoot walks along a path that is relative to a root of its own: it leads to
// its file, and no descriptor stays open.
func TestWalkInRoot(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	tid := os.Getpid()
	before := descriptors(t)
	for _, asked := range []string{"/file", "../file", "link"} {
		w := &walk{
			tid: tid, pids: []int{tid}, tids: []int{tid}, dirfd: int32(root), name: asked,
			resolve: unix.RESOLVE_IN_ROOT, opened: identity{st.Dev, st.Ino}, path: name,
		}
		if !w.leads() {
			t.Errorf("%s does not lead to its file", asked)
		}
		w.opened.ino++
		w.path = "/another"
		if w.leads() {
			t.Errorf("%s leads to another file", asked)
		}
	}
	// A link at the end of a path is not followed by such an open, nor is it the file.
	for _, flags := range []uint64{unix.O_NOFOLLOW, unix.O_CREAT | unix.O_EXCL, unix.O_PATH | unix.O_NOFOLLOW} {
		w := &walk{
			tid: tid, pids: []int{tid}, tids: []int{tid}, dirfd: int32(root), name: "link", flags: flags,
			resolve: unix.RESOLVE_IN_ROOT, opened: identity{st.Dev, st.Ino}, path: name,
		}
		if w.leads() {
			t.Errorf("with flags %#o the link leads to its file", flags)
		}
		if w.name = "file"; !w.leads() {
			t.Errorf("with flags %#o the file is not found", flags)
		}
		w.name, w.flags = "link", flags&^(unix.O_NOFOLLOW|unix.O_EXCL)
		if !w.leads() {
			t.Errorf("with flags %#o the link does not lead to its file", w.flags)
		}
	}
	if now := descriptors(t); now != before {
		t.Errorf("%d descriptors are open, %d were before", now, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}
