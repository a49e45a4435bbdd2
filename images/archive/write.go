package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Content is a file of a layer that is made: with Link a symbolic link, with a mode of
// a directory one of those.
type Content struct {
	Path string
	Mode int64 // permissions, and those of tar.Header for set-user-id and the like
	Data []byte
	Link string
	Dir  bool
}

// Layer is a layer as it is stored.
type Layer struct {
	blob   []byte
	diffID digest.Digest
}

// NewLayer packs files, with the directories above those that have none of their own.
// The same files and time make the same bytes: they are sorted, and root's.
func NewLayer(files []Content, when time.Time) (Layer, error) {
	var blob bytes.Buffer
	z, err := gzip.NewWriterLevel(&blob, gzip.BestCompression)
	if err != nil {
		return Layer{}, err
	}
	digester := digest.Canonical.Digester()
	err = writeTar(io.MultiWriter(z, digester.Hash()), withDirectories(files), when)
	if err := errors.Join(err, z.Close()); err != nil {
		return Layer{}, fmt.Errorf("layer: %w", err)
	}
	return Layer{blob.Bytes(), digester.Digest()}, nil
}

// LayerOf is a layer that exists as a tar file, compressed or not. Its bytes depend on
// those of what is in it only.
func LayerOf(r io.Reader) (Layer, error) {
	var blob bytes.Buffer
	z, err := gzip.NewWriterLevel(&blob, gzip.BestCompression)
	if err != nil {
		return Layer{}, err
	}
	plain, end, err := unpack(r, &budget{Limits: DefaultLimits})
	if err != nil {
		return Layer{}, fmt.Errorf("layer: %w", err)
	}
	defer end()
	digester := digest.Canonical.Digester()
	stored := io.TeeReader(plain, io.MultiWriter(z, digester.Hash()))
	err = walkTar(stored, func(*tar.Header, io.Reader) error { return nil })
	if err == nil {
		_, err = io.Copy(io.Discard, stored) // what fills the last block
	}
	if err := errors.Join(err, z.Close()); err != nil {
		return Layer{}, fmt.Errorf("layer: %w", err)
	}
	return Layer{blob.Bytes(), digester.Digest()}, nil
}

// withDirectories sorts the files by their paths, directories before what they hold.
func withDirectories(files []Content) []Content {
	there := map[string]bool{".": true}
	out := slices.Clone(files)
	for _, f := range files {
		there[f.Path] = true
	}
	for _, f := range files {
		for dir := path.Dir(f.Path); !there[dir]; dir = path.Dir(dir) {
			there[dir] = true
			out = append(out, Content{Path: dir, Mode: 0o755, Dir: true})
		}
	}
	slices.SortStableFunc(out, func(a, b Content) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func writeTar(w io.Writer, files []Content, when time.Time) error {
	out := tar.NewWriter(w)
	for _, f := range files {
		h := &tar.Header{Name: f.Path, Mode: f.Mode, Size: int64(len(f.Data)), Linkname: f.Link, Typeflag: tar.TypeReg, ModTime: when}
		switch {
		case f.Dir:
			h.Typeflag, h.Name = tar.TypeDir, f.Path+"/"
		case f.Link != "":
			h.Typeflag = tar.TypeSymlink
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := out.Write(f.Data); err != nil {
			return err
		}
	}
	return out.Close()
}

// New is an image that is written. What its configuration says of layers is set by
// [Write].
type New struct {
	Config ocispec.Image
	Layers []Layer
}

// Write writes an archive with one image under a name, for one or several platforms.
// With one of them it is docker's format and OCI's at once, which everything loads that
// knows one of them; docker's has no room for several.
func Write(w io.Writer, name string, images []New, when time.Time) error {
	var manifests []ocispec.Descriptor
	var list []dockerImage
	blobs := map[digest.Digest][]byte{}
	put := func(mediaType string, b []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
		blobs[d.Digest] = b
		return d
	}
	putJSON := func(mediaType string, v any) (ocispec.Descriptor, error) {
		text, err := json.Marshal(v)
		return put(mediaType, text), err
	}
	for _, n := range images {
		d, docker, err := n.put(put, putJSON)
		if err != nil {
			return fmt.Errorf("image: %w", err)
		}
		docker.RepoTags = []string{name}
		manifests, list = append(manifests, d), append(list, docker)
	}
	top := manifests[0]
	if len(images) > 1 {
		var err error
		top, err = putJSON(ocispec.MediaTypeImageIndex, ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: manifests,
		})
		if err != nil {
			return fmt.Errorf("image: %w", err)
		}
	}
	_, tag, _ := strings.Cut(path.Base(name), ":")
	top.Annotations = map[string]string{containerdName: name, ocispec.AnnotationRefName: tag}
	documents := map[string]any{
		ocispec.ImageLayoutFile: ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion},
		ocispec.ImageIndexFile: ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{top},
		},
	}
	if len(images) == 1 {
		documents["manifest.json"] = list
	}
	var files []Content
	for name, v := range documents {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("image: %w", err)
		}
		files = append(files, Content{Path: name, Mode: 0o644, Data: text})
	}
	for d, b := range blobs {
		name, err := blob(d)
		if err != nil {
			return fmt.Errorf("image: %w", err)
		}
		files = append(files, Content{Path: name, Mode: 0o644, Data: b})
	}
	return writeTar(w, withDirectories(files), when)
}

// put adds the parts of an image to those of the archive.
func (n New) put(put func(string, []byte) ocispec.Descriptor, putJSON func(string, any) (ocispec.Descriptor, error)) (ocispec.Descriptor, dockerImage, error) {
	config := n.Config
	config.RootFS = ocispec.RootFS{Type: "layers"}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	var docker dockerImage
	for _, l := range n.Layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.diffID)
		d := put(ocispec.MediaTypeImageLayerGzip, l.blob)
		manifest.Layers = append(manifest.Layers, d)
		name, err := blob(d.Digest)
		if err != nil {
			return d, docker, err
		}
		docker.Layers = append(docker.Layers, name)
	}
	var err error
	if manifest.Config, err = putJSON(ocispec.MediaTypeImageConfig, config); err != nil {
		return manifest.Config, docker, err
	}
	if docker.Config, err = blob(manifest.Config.Digest); err != nil {
		return manifest.Config, docker, err
	}
	d, err := putJSON(ocispec.MediaTypeImageManifest, manifest)
	platform := config.Platform
	d.Platform = &platform
	return d, docker, err
}
