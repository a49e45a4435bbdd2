package archive

import (
	"archive/tar"
	_ "crypto/sha256" // for digests, which do not bring them along
	_ "crypto/sha512"
	"fmt"
	"io"
	"io/fs"

	"github.com/opencontainers/go-digest"
)

// File is an entry of a layer.
type File struct {
	// Path is without a leading slash.
	Path string
	// Mode has the permissions and the type.
	Mode fs.FileMode
	// UID and GID are the owner.
	UID, GID int
	// Link is what a symbolic link says.
	Link string
	// Head is how the file begins, if it is one of those that were asked for.
	Head []byte
	// Layer is the number of the layer that has it, from 0.
	Layer int

	typ byte // of the entry in the tar file
}

// layer is what one layer holds, in its order.
type layer struct {
	files  []File
	diffID digest.Digest
	err    error
}

// HeadSize is how many bytes of a file are kept at most.
const HeadSize = 64 << 10

// scan reads all layers of all images, once each. Of the files that want names the
// beginnings are kept.
func (a *Archive) scan(want func(path string) bool) error {
	a.layers = map[string]*layer{}
	for _, img := range a.Images {
		for _, name := range img.layers {
			a.layers[a.real(name)] = nil
		}
	}
	return a.walk(func(h *tar.Header, r io.Reader) error {
		if _, ok := a.layers[h.Name]; !ok || h.Typeflag != tar.TypeReg {
			return nil
		}
		l, err := a.scanLayer(r, want)
		a.layers[h.Name] = l
		return err
	})
}

// scanLayer reads one layer. What is wrong with it is its own, what is above the limits
// is an error of the archive.
func (a *Archive) scanLayer(r io.Reader, want func(path string) bool) (*layer, error) {
	l := &layer{}
	plain, end, err := unpack(r, &a.budget)
	if err != nil {
		l.err = err
		return l, nil
	}
	defer end()
	digester := digest.Canonical.Digester()
	plain = io.TeeReader(plain, digester.Hash())
	var limit error
	l.err = walkTar(plain, func(h *tar.Header, r io.Reader) error {
		f := File{Path: h.Name, Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid, Link: h.Linkname, typ: h.Typeflag}
		if h.Typeflag == tar.TypeReg && want(h.Name) {
			var err error
			if f.Head, err = io.ReadAll(io.LimitReader(r, HeadSize)); err != nil {
				return err
			}
		}
		l.files = append(l.files, f)
		limit = a.budget.entry(len(f.Path) + len(f.Link) + len(f.Head))
		return limit
	})
	if limit != nil {
		return nil, limit
	}
	// What follows the end of the tar file belongs to the digest.
	if _, err := io.Copy(io.Discard, plain); err != nil && l.err == nil {
		l.err = err
	}
	l.diffID = digester.Digest()
	return l, nil
}

// Files returns the files of an image as its container would have them.
// The first call reads the archive, and its want counts for all images: of the files it
// names File.Head is kept.
func (a *Archive) Files(img *Image, want func(path string) bool) (*Tree, error) {
	if a.layers == nil {
		if err := a.scan(want); err != nil {
			return nil, fmt.Errorf("%s: %w", a.path, err)
		}
	}
	t := newTree(&a.budget, want)
	for i, name := range img.layers {
		l := a.layers[a.real(name)]
		switch {
		case l == nil:
			return nil, fmt.Errorf("layer %d: %s: %w", i+1, name, errMissing)
		case l.err != nil:
			return nil, fmt.Errorf("layer %d: %w", i+1, l.err)
		case l.diffID != img.Config.RootFS.DiffIDs[i]:
			return nil, fmt.Errorf("layer %d is not the one of the configuration: its digest is %s", i+1, l.diffID)
		}
		if err := t.add(l.files, i); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return t, nil
}
