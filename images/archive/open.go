package archive

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Archive is a file with images. It is read anew for each question, so the file has
// to stay as it is.
type Archive struct {
	// Images are in the order of the archive. There is at least one.
	Images []*Image
	// Absent are platforms that an index names, and whose images are not there.
	Absent []ocispec.Platform

	path   string
	budget budget
	docs   map[string][]byte // what begins like JSON, and is no longer than Limits.Document
	sizes  map[string]int64  // of all regular files
	links  map[string]string // names that are another one's
	layers map[string]*layer // by their names, once Files was called
}

// Image is one image of an archive, for one platform.
type Image struct {
	// Name is a tag, if the archive knows one.
	Name string
	// Config is what the image says of itself, with the platform it is for.
	Config Config
	// Err is why the rest is not known: a part that is missing or damaged.
	Err error

	layers []string // names in the archive, the lowest first
}

// Config is the configuration of an image: OCI's, and what docker has beside it.
type Config struct {
	ocispec.Image
	Docker struct {
		Healthcheck *struct{ Test []string }
	}
}

// UnmarshalJSON reads both parts, which stand in one object.
func (c *Config) UnmarshalJSON(text []byte) error {
	docker := struct{ Config any }{&c.Docker}
	return errors.Join(json.Unmarshal(text, &c.Image), json.Unmarshal(text, &docker))
}

// Open reads what images the file holds. Errors of one image are its own.
func Open(name string, limits Limits) (*Archive, error) {
	a := &Archive{
		path: name, budget: budget{Limits: limits},
		docs: map[string][]byte{}, sizes: map[string]int64{}, links: map[string]string{},
	}
	if err := a.walk(a.note); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := a.find(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return a, nil
}

// note keeps what the first reading has to know of an entry.
func (a *Archive) note(h *tar.Header, r io.Reader) error {
	if err := a.budget.entry(len(h.Name)); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink: // docker save names a layer that two images share twice
		a.links[h.Name] = clean(path.Join(path.Dir(h.Name), h.Linkname))
		return a.budget.keep(len(h.Linkname))
	case tar.TypeLink:
		a.links[h.Name] = clean(h.Linkname)
		return a.budget.keep(len(h.Linkname))
	case tar.TypeReg:
	default:
		return nil
	}
	delete(a.links, h.Name)
	delete(a.docs, h.Name) // of two entries with a name the last one counts
	a.sizes[h.Name] = h.Size
	if h.Size > a.budget.Document {
		return nil
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil || first[0] != '{' && first[0] != '[' {
		return nil // a short file says so when the next entry is read
	}
	if err := a.budget.keep(int(h.Size)); err != nil {
		return err
	}
	text, err := io.ReadAll(r)
	a.docs[h.Name] = append(first, text...)
	return err
}

// maxLinks is how many names may stand between a name and its file.
const maxLinks = 8

// real follows links to the file that a name is of.
func (a *Archive) real(name string) string {
	for range maxLinks {
		to, ok := a.links[name]
		if !ok {
			break
		}
		name = to
	}
	return name
}

// document reads a part of the archive into v.
func (a *Archive) document(name string, v any) error {
	name = a.real(name)
	text, ok := a.docs[name]
	size, there := a.sizes[name]
	switch {
	case there && size > a.budget.Document:
		return fmt.Errorf("%s: %w: it has %d bytes", name, ErrLimit, size)
	case there && !ok:
		return fmt.Errorf("%s is no JSON", name)
	case !ok:
		return fmt.Errorf("%s: %w", name, errMissing)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// errMissing is a part that something in the archive names.
var errMissing = errors.New("not in the archive")

// find tells the format, and reads the images.
func (a *Archive) find() error {
	var err error
	switch has := func(name string) bool { _, ok := a.sizes[a.real(name)]; return ok }; {
	case has("index.json"): // also where docker's list stands beside it
		err = a.findOCI()
	case has("manifest.json"):
		err = a.findDocker()
	case has("repositories"):
		return errors.New("written by a docker before 1.10: load it and save it again")
	case len(a.sizes)+len(a.links) == 0:
		return errors.New("not an archive of images: there is no file in it")
	default:
		return errors.New("not an archive of images: neither manifest.json (docker save, podman save) nor index.json (an OCI layout) is in it; " +
			"docker export writes the files of a container, without their configuration")
	}
	if err == nil && len(a.Images) == 0 {
		err = errors.New("there is no image in it")
	}
	return err
}

// add notes an image with the name of its configuration and those of its layers.
func (a *Archive) add(name, config string, layers []string) error {
	if len(a.Images) == a.budget.Images {
		return fmt.Errorf("%w: more than %d images", ErrLimit, a.budget.Images)
	}
	img := &Image{Name: name, layers: layers}
	a.Images = append(a.Images, img)
	if len(layers) > a.budget.Layers {
		img.Err = fmt.Errorf("%w: it has %d layers", ErrLimit, len(layers))
		return nil
	}
	img.Err = a.document(config, &img.Config)
	if diffs := img.Config.RootFS.DiffIDs; img.Err == nil && len(diffs) != len(layers) {
		img.Err = fmt.Errorf("the configuration is of %d layers, the manifest of %d", len(diffs), len(layers))
	}
	return nil
}
