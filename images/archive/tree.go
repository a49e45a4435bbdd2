package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tree is what the layers of an image make together.
type Tree struct {
	top     *dirent
	nodes   int // made so far
	budget  *budget
	want    func(path string) bool
	wanted  []string       // paths that were there at some time
	removed map[string]int // those that are not any more, with the layer
}

// dirent is a file or directory, with what it holds.
type dirent struct {
	file     File
	children map[string]*dirent
}

// maxWanted is how many paths are remembered for what becomes of them.
const maxWanted = 64

// uses is how many times Limits.Entries all trees of an archive may be made of: a
// layer can be named more than once.
const uses = 8

func newTree(b *budget, want func(path string) bool) *Tree {
	return &Tree{top: directory(""), budget: b, want: want, removed: map[string]int{}}
}

func directory(name string) *dirent {
	return &dirent{file: File{Path: name, Mode: fs.ModeDir | 0o755, typ: tar.TypeDir}}
}

// A name that begins so takes away the one behind it, which a lower layer has; the one
// with opaque takes away all that a directory had.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// add puts a layer on those that are there.
func (t *Tree) add(files []File, number int) error {
	if t.budget.applied += len(files); t.budget.applied > uses*t.budget.Entries {
		return fmt.Errorf("%w: too many files in all images together", ErrLimit)
	}
	for _, f := range files {
		dir, base := path.Split(f.Path)
		switch name, gone := strings.CutPrefix(base, whiteout); {
		case base == opaque:
			if d := t.lookup(dir); d != nil {
				d.children = nil
			}
		case gone:
			if d := t.lookup(dir); d != nil {
				delete(d.children, name)
			}
		}
	}
	for _, f := range files {
		if strings.HasPrefix(path.Base(f.Path), whiteout) {
			continue
		}
		f.Layer = number
		if err := t.put(f); err != nil {
			return err
		}
	}
	for _, name := range t.wanted {
		_, was := t.removed[name]
		switch there := t.lookup(name) != nil; {
		case there:
			delete(t.removed, name)
		case !was:
			t.removed[name] = number
		}
	}
	return nil
}

// lookup finds a path of a layer, in which no link is followed.
func (t *Tree) lookup(name string) *dirent {
	d := t.top
	for part := range parts(name) {
		if d = d.children[part]; d == nil {
			return nil
		}
	}
	return d
}

func parts(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(name, "/") {
			if part != "" && !yield(part) {
				return
			}
		}
	}
}

func (t *Tree) put(f File) error {
	if f.typ == tar.TypeLink {
		to := t.lookup(clean(f.Link))
		if to == nil {
			return fmt.Errorf("%q is a link to %q, which is not there", f.Path, f.Link)
		}
		name := f.Path
		f = to.file
		f.Path = name
	}
	d, end := t.top, -1
	for part := range parts(f.Path) {
		end += 1 + len(part)
		if d.file.typ != tar.TypeDir { // a layer replaces a file by a directory
			d.file = directory(d.file.Path).file
		}
		next := d.children[part]
		if next == nil {
			next = directory(f.Path[:end])
			if t.nodes++; t.nodes > t.budget.Entries {
				return fmt.Errorf("%w: more than %d files", ErrLimit, t.budget.Entries)
			}
			if d.children == nil {
				d.children = map[string]*dirent{}
			}
			d.children[part] = next
		}
		d = next
	}
	d.file = f
	if f.typ != tar.TypeDir {
		d.children = nil
	}
	if len(t.wanted) < maxWanted && t.want(f.Path) && !slices.Contains(t.wanted, f.Path) {
		t.wanted = append(t.wanted, f.Path)
	}
	return nil
}

// Wanted returns the paths of files that were asked for and that are there, sorted.
func (t *Tree) Wanted() []string {
	var names []string
	for _, name := range t.wanted {
		if d := t.lookup(name); d != nil && d.file.typ != tar.TypeDir {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Removed tells which layer has removed a file that was asked for, if one has.
func (t *Tree) Removed(name string) (layer int, ok bool) {
	layer, ok = t.removed[clean(name)]
	return layer, ok
}

var errLinks = errors.New("too many symbolic links")

// maxFollowed is how many symbolic links the kernel follows in a path (MAXSYMLINKS).
const maxFollowed = 40

// Find follows a path as the kernel does from the root of the container. The
// directories are those that a caller has to be allowed to search. The error wraps
// fs.ErrNotExist where there is no such file.
func (t *Tree) Find(name string) (f File, dirs []File, err error) {
	followed := 0
	rest := slices.Collect(parts(name))
	at := []*dirent{t.top}
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		last := at[len(at)-1]
		if last.file.typ != tar.TypeDir {
			return File{}, nil, fmt.Errorf("/%s: %w", last.file.Path, fs.ErrNotExist)
		}
		switch part {
		case ".":
			continue
		case "..":
			at = at[:max(1, len(at)-1)]
			continue
		}
		dirs = append(dirs, last.file)
		next := last.children[part]
		if next == nil {
			return File{}, nil, fmt.Errorf("/%s: %w", path.Join(last.file.Path, part), fs.ErrNotExist)
		}
		if next.file.typ != tar.TypeSymlink {
			at = append(at, next)
			continue
		}
		if followed++; followed > maxFollowed {
			return File{}, nil, fmt.Errorf("%s: %w", name, errLinks)
		}
		if path.IsAbs(next.file.Link) {
			at = at[:1]
		}
		rest = append(slices.Collect(parts(next.file.Link)), rest...)
	}
	return at[len(at)-1].file, dirs, nil
}
