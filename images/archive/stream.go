package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

// Limits bound what an archive may cost.
type Limits struct {
	// Entries is how many files the archive, and all its layers together, may have.
	Entries int
	// Document is how many bytes a manifest or configuration may have, Kept how
	// many of the archive are kept: documents, names, and the beginnings of files.
	Document, Kept int64
	// Unpacked is how many bytes are read in all, compressed ones as what they become.
	Unpacked int64
	// Images is how many there may be, and Layers how many of them one may have.
	Images, Layers int
}

// DefaultLimits are far above those of the images that people build.
var DefaultLimits = Limits{
	Entries:  1 << 20,
	Document: 4 << 20,
	Kept:     256 << 20,
	Unpacked: 64 << 30,
	Images:   64,
	Layers:   512,
}

// ErrLimit is wrapped by the errors that say which limit an archive exceeds.
var ErrLimit = errors.New("too large to be examined")

// budget is what is left of the limits of an archive.
type budget struct {
	Limits
	entries        int
	applied        int // entries that trees are made of
	kept, unpacked int64
}

// entry takes one file into account, and the bytes that are kept of it.
func (b *budget) entry(kept int) error {
	if b.entries++; b.entries > b.Entries {
		return fmt.Errorf("%w: more than %d files", ErrLimit, b.Entries)
	}
	return b.keep(kept)
}

func (b *budget) keep(n int) error {
	if b.kept += int64(n); b.kept > b.Kept {
		return fmt.Errorf("%w: more than %d bytes of names and documents", ErrLimit, b.Kept)
	}
	return nil
}

// metered counts what is read of r.
type metered struct {
	r io.Reader
	b *budget
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.b.unpacked += int64(n); m.b.unpacked > m.b.Unpacked {
		return n, fmt.Errorf("%w: more than %d bytes unpacked", ErrLimit, m.b.Unpacked)
	}
	return n, err
}

// zstdMemory bounds the window that a zstd stream may ask for; 128 MiB is what
// zstd itself unpacks without being told to.
const zstdMemory = 128 << 20

// unpack returns what a compressed stream holds, and one that is not compressed as
// it is. The function ends it.
func unpack(r io.Reader, b *budget) (io.Reader, func(), error) {
	in := bufio.NewReader(r)
	head, err := in.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	end := func() {}
	out := io.Reader(in)
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, err
		}
		out = z
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdMemory))
		if err != nil {
			return nil, nil, err
		}
		out, end = z, z.Close
	case bytes.HasPrefix(head, []byte("BZh")):
		out = bzip2.NewReader(in)
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return nil, nil, errors.New("compressed with xz, which is not supported: unpack it first")
	}
	return metered{out, b}, end, nil
}

// walk calls do with each entry of the archive, in its order.
func (a *Archive) walk(do func(h *tar.Header, r io.Reader) error) error {
	f, err := os.OpenFile(a.path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // who writes to a pipe is not waited for
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // of a pipe there would be nothing left the second time
		return errors.New("not a regular file, which it has to be, since it is read more than once")
	}
	r, end, err := unpack(f, &a.budget)
	if err != nil {
		return err
	}
	defer end()
	return walkTar(r, do)
}

// maxPath is how long a path may be for the kernel (PATH_MAX).
const maxPath = 4096

// walkTar calls do with each entry of a tar file. The names are without a leading or
// trailing slash and without dots; an entry for the top is left out.
func walkTar(r io.Reader, do func(h *tar.Header, r io.Reader) error) error {
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // nothing is written
			return err
		}
		if n := max(len(h.Name), len(h.Linkname)); n > maxPath {
			return fmt.Errorf("%w: a name of %d bytes", ErrLimit, n)
		}
		if h.Name = clean(h.Name); h.Name == "" {
			continue
		}
		if err := do(h, in); err != nil {
			return err
		}
	}
}

// clean is a path as the trees have it: from the top, without a slash there, and
// never above it.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
