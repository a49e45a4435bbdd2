package archive

import (
	"errors"
	"fmt"
	"path"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// dockerImage is an element of manifest.json, the list of docker's format.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (a *Archive) findDocker() error {
	var list []dockerImage
	if err := a.document("manifest.json", &list); err != nil {
		return err
	}
	for _, d := range list {
		name := ""
		if len(d.RepoTags) > 0 {
			name = d.RepoTags[0]
		}
		for i, l := range d.Layers {
			d.Layers[i] = clean(l)
		}
		if err := a.add(name, clean(d.Config), d.Layers); err != nil {
			return err
		}
	}
	return nil
}

// node is an index or a manifest, of OCI or of docker: which one it is shows in what
// it names.
type node struct {
	Manifests []ocispec.Descriptor
	Config    *ocispec.Descriptor
	Layers    []ocispec.Descriptor
}

// maxDepth is how deep indexes may be nested: index.json names that of an image.
const maxDepth = 4

// findOCI reads index.json, and what it names, as far as it is an image: signatures
// and attestations lie beside them.
func (a *Archive) findOCI() error {
	var top node
	if err := a.document("index.json", &top); err != nil {
		return err
	}
	visits := 8 * a.budget.Images // of manifests, whatever they turn out to be
	return a.visit(top, "", maxDepth, &visits)
}

func (a *Archive) visit(n node, name string, depth int, visits *int) error {
	if depth == 0 {
		return fmt.Errorf("%w: more than %d indexes in each other", ErrLimit, maxDepth)
	}
	for _, d := range n.Manifests {
		if *visits--; *visits < 0 {
			return fmt.Errorf("%w: too many manifests", ErrLimit)
		}
		if d.Annotations["vnd.docker.reference.type"] != "" || d.ArtifactType != "" {
			continue
		}
		name := nameOf(d, name)
		var sub node
		err := a.verified(d, &sub)
		switch {
		case errors.Is(err, errMissing): // of an index for many platforms one may be all that was pulled
			a.absent(d)
			err = nil
		case err != nil:
			err = a.lost(name, d, err)
		case sub.Config == nil:
			err = a.visit(sub, name, depth-1, visits)
		case sub.Config.MediaType == "" || isImage[sub.Config.MediaType]:
			err = a.addManifest(name, sub)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var isImage = map[string]bool{
	ocispec.MediaTypeImageConfig:                     true,
	"application/vnd.docker.container.image.v1+json": true,
}

// containerdName is the annotation with the whole name of an image, where OCI's has a
// part of it.
const containerdName = "io.containerd.image.name"

func nameOf(d ocispec.Descriptor, above string) string {
	for _, key := range []string{containerdName, ocispec.AnnotationRefName} {
		if name := d.Annotations[key]; name != "" {
			return name
		}
	}
	return above
}

// absent notes an image of which there is not even a manifest.
func (a *Archive) absent(d ocispec.Descriptor) {
	if d.Platform != nil {
		a.Absent = append(a.Absent, *d.Platform)
	}
}

// lost notes an image of which there is no more than the platform.
func (a *Archive) lost(name string, d ocispec.Descriptor, reason error) error {
	if err := a.add(name, "", nil); err != nil {
		return err
	}
	img := a.Images[len(a.Images)-1]
	img.Err = reason
	if d.Platform != nil {
		img.Config.Platform = *d.Platform
	}
	return nil
}

func (a *Archive) addManifest(name string, m node) error {
	layers := make([]string, len(m.Layers))
	for i, d := range m.Layers {
		layer, err := blob(d.Digest)
		if err != nil {
			return a.lost(name, d, err)
		}
		layers[i] = layer
	}
	if err := a.verified(*m.Config, new(any)); err != nil {
		return a.lost(name, *m.Config, err)
	}
	config, _ := blob(m.Config.Digest)
	return a.add(name, config, layers)
}

// blob is where an OCI layout has what a digest is of.
func blob(d digest.Digest) (string, error) {
	if err := d.Validate(); err != nil {
		return "", fmt.Errorf("%q: %w", string(d), err)
	}
	return path.Join(ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded()), nil
}

// verified reads a document, which has to be the one that the descriptor names.
func (a *Archive) verified(d ocispec.Descriptor, v any) error {
	name, err := blob(d.Digest)
	if err != nil {
		return err
	}
	if err := a.document(name, v); err != nil {
		return err
	}
	if d.Digest.Algorithm().FromBytes(a.docs[a.real(name)]) != d.Digest {
		return fmt.Errorf("%s: damaged: it is not what its name says", name)
	}
	return nil
}
