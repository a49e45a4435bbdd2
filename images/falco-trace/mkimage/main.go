// Command mkimage makes the archives of the image falco-trace, with no tool for
// containers: the same files make the same bytes.
//
// The files are given as ARCHITECTURE=DIR, the root of the image with the program in it;
// the licences are put there. There is one archive for each architecture, for everything
// that loads docker's or OCI's, and one of all, falco-trace.tar, for what pushes it to a
// registry.
package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pdig/pdig/images/archive"
	"github.com/pdig/pdig/internal/cli"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

// options are those of the command line.
type options struct {
	out, name, version, base string
	epoch                    int64
	roots                    []string
}

func run(args []string, stderr io.Writer) int {
	var o options
	f := cli.NewFlagSet("mkimage")
	f.StringVarP(&o.out, "output", "o", ".", "the `DIR` of the archives")
	f.StringVar(&o.name, "name", "falco-trace:latest", "`NAME:TAG` of the image")
	f.StringVar(&o.version, "version", "", "`VERSION` of the programs, for the image's label")
	f.StringVar(&o.base, "base", "", "put it on `ROOTFS.tar`, the files of a distribution for the architecture")
	f.Int64Var(&o.epoch, "epoch", 0, "`SECONDS` since 1970 that all files are from")
	if err := cli.Parse(f, args); err != nil {
		fmt.Fprintf(stderr, "mkimage: %v\n", err)
		return 2
	}
	o.roots = f.Args()
	if err := o.make(); err != nil {
		fmt.Fprintf(stderr, "mkimage: %v\n", err)
		return 1
	}
	return 0
}

// program is where the image has falco-trace.
const program = "usr/bin/falco-trace"

// entrypoint and searchPath are what the image says of its containers. The Containerfile
// says the same.
var (
	entrypoint = []string{"/" + program, "run", "--"}
	searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

func (o options) make() error {
	if len(o.roots) == 0 {
		return errors.New("no files are given: ARCHITECTURE=DIR")
	}
	if o.base != "" && len(o.roots) > 1 {
		return errors.New("--base: the files of a distribution are for one architecture, and so are its programs")
	}
	var all []archive.New
	for _, word := range o.roots {
		arch, root, _ := strings.Cut(word, "=")
		img, err := o.image(arch, root)
		if err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
		if err := o.write("falco-trace-"+arch+".tar", img); err != nil {
			return err
		}
		all = append(all, img)
	}
	if len(all) == 1 {
		return nil
	}
	return o.write("falco-trace.tar", all...)
}

// image is that of one architecture.
func (o options) image(arch, root string) (archive.New, error) {
	var img archive.New
	if err := checkProgram(arch, filepath.Join(root, program)); err != nil {
		return img, err
	}
	if err := copyLicences(arch, filepath.Join(root, licenceDir)); err != nil {
		return img, err
	}
	files, err := filesOf(root)
	if err != nil {
		return img, err
	}
	layer, err := archive.NewLayer(files, o.when())
	if err != nil {
		return img, err
	}
	when := o.when()
	img.Config.Created = &when
	img.Config.Platform = ocispec.Platform{OS: "linux", Architecture: arch}
	img.Config.Config = ocispec.ImageConfig{
		Entrypoint: entrypoint,
		Env:        []string{searchPath},
		WorkingDir: "/",
		Labels: map[string]string{
			ocispec.AnnotationTitle:    "falco-trace",
			ocispec.AnnotationVersion:  o.version,
			ocispec.AnnotationLicenses: "Apache-2.0",
		},
	}
	if o.base != "" {
		base, err := o.baseLayer()
		if err != nil {
			return img, err
		}
		img.Layers = append(img.Layers, base)
		img.Config.History = append(img.Config.History, ocispec.History{Created: &when, CreatedBy: "a distribution"})
		img.Config.Config.Cmd = []string{"bash"}
	}
	img.Layers = append(img.Layers, layer)
	img.Config.History = append(img.Config.History, ocispec.History{Created: &when, CreatedBy: "falco-trace " + o.version})
	return img, nil
}

func (o options) when() time.Time { return time.Unix(o.epoch, 0).UTC() }

func (o options) baseLayer() (archive.Layer, error) {
	f, err := os.Open(o.base)
	if err != nil {
		return archive.Layer{}, err
	}
	defer f.Close()
	return archive.LayerOf(f)
}

// filesOf are the files below a directory. What the umask has left out of their modes is
// not missing in the image.
func filesOf(root string) ([]archive.Content, error) {
	var files []archive.Content
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		files = append(files, archive.Content{Path: filepath.ToSlash(below), Mode: mode, Data: text})
		return nil
	})
	return files, err
}

// checkProgram wants a static program for the architecture: the image has no loader.
func checkProgram(arch, file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]; f.Machine != want {
		return fmt.Errorf("it is for %v, not for %q", f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is not static")
		}
	}
	return nil
}

// write makes a file, or leaves none.
func (o options) write(name string, images ...archive.New) error {
	f, err := os.CreateTemp(o.out, name)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	err = archive.Write(f, o.name, images, o.when())
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.Rename(f.Name(), filepath.Join(o.out, name))
}
