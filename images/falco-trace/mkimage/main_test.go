package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pdig/pdig/images/archive"
)

// made are the archives of make image, which two tests look at.
var made struct {
	dir string
	err error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "falco-trace-image-")
	if err == nil {
		err = makeImage(dir)
	}
	made.dir, made.err = dir, err
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// makeImage is make image with its products in a directory. What git says of the source
// is given, since it may change between two builds.
func makeImage(dir string) error {
	cmd := exec.Command("make", "-C", "../../..", "image", "BIN="+dir, "VERSION=1", "SOURCE_DATE_EPOCH=1700000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}

func image(t *testing.T, name string) string {
	t.Helper()
	if made.err != nil {
		t.Fatalf("make image: %v", made.err)
	}
	return filepath.Join(made.dir, "image", name)
}

// maxSize is what an image may have, in the archive and unpacked.
const maxSize = 20 << 20

// TestTwice: the same source makes the same bytes, in another directory, at another time,
// with another umask and in another zone.
func TestTwice(t *testing.T) {
	first := image(t, "")
	t.Setenv("TZ", "Pacific/Auckland")
	t.Setenv("LC_ALL", "C")
	t.Setenv("TMPDIR", t.TempDir())
	second := t.TempDir()
	umask := syscall.Umask(0o077)
	err := makeImage(second)
	syscall.Umask(umask)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"falco-trace-amd64.tar", "falco-trace-arm64.tar", "falco-trace.tar"} {
		a, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(second, "image", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two builds are different", name)
		}
	}
}

// layers returns the layers of an archive with one image, unpacked.
func layers(t *testing.T, file string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for in := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if z, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
			if content, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		} else if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".tar") {
			continue // no layer
		}
		out = append(out, content)
	}
}

// TestContent: what is in the images, and what they say of themselves.
func TestContent(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		file := image(t, "falco-trace-"+arch+".tar")
		if info, err := os.Stat(file); err != nil || info.Size() > maxSize {
			t.Errorf("%s: got %v, %v, want at most %d bytes", arch, info.Size(), err, maxSize)
		}
		a, err := archive.Open(file, archive.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		img := a.Images[0]
		c := img.Config.Config
		if img.Err != nil || img.Config.OS != "linux" || img.Config.Architecture != arch || c.User != "" || len(c.Cmd) > 0 ||
			!slices.Equal(c.Entrypoint, entrypoint) || !slices.Equal(c.Env, []string{searchPath}) || c.Labels["org.opencontainers.image.version"] != "1" {
			t.Errorf("%s: got %v, %+v", arch, img.Err, img.Config)
		}
		root := t.TempDir()
		for _, layer := range layers(t, file) {
			if len(layer) > maxSize {
				t.Errorf("%s: unpacked the image has %d bytes, want at most %d", arch, len(layer), maxSize)
			}
			unpack(t, layer, root)
		}
		f, err := elf.Open(filepath.Join(root, program))
		if err != nil {
			t.Fatal(err)
		}
		if f.Machine != machine {
			t.Errorf("%s: the program is for %v", arch, f.Machine)
		}
		f.Close()
		for _, module := range []string{"go/LICENSE", "github.com/pdig/pdig/LICENSE", "github.com/opencontainers/image-spec/LICENSE", "golang.org/x/sys/LICENSE"} {
			if _, err := os.Stat(filepath.Join(root, licenceDir, module)); err != nil {
				t.Error(err)
			}
		}
	}
}

// unpack writes the files of a layer.
func unpack(t *testing.T, layer []byte, root string) {
	t.Helper()
	for in := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(root, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, name)
		default:
			text, readErr := io.ReadAll(in)
			err = errors.Join(readErr, os.WriteFile(name, text, 0o600), os.Chmod(name, os.FileMode(h.Mode)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestBase: the files of a distribution are below those of the image.
func TestBase(t *testing.T) {
	dir := t.TempDir()
	var base bytes.Buffer
	w := tar.NewWriter(&base)
	if err := w.WriteHeader(&tar.Header{Name: "etc/debian_version", Mode: 0o644, Size: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("12\n")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), os.WriteFile(filepath.Join(dir, "base.tar"), base.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	root := image(t, runtime.GOARCH)
	var stderr bytes.Buffer
	if run([]string{"-o", dir, "--base", filepath.Join(dir, "base.tar"), runtime.GOARCH + "=" + root}, &stderr) != 0 {
		t.Fatal(&stderr)
	}
	got := layers(t, filepath.Join(dir, "falco-trace-"+runtime.GOARCH+".tar"))
	if len(got) != 2 || !slices.ContainsFunc(got, func(l []byte) bool { return bytes.Equal(l, base.Bytes()) }) {
		t.Errorf("got %d layers, want that of the base as it is and another one", len(got))
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no tar file"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(name, content string) string {
		root := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Join(root, "usr/bin"), 0o755), os.WriteFile(filepath.Join(root, program), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		return root
	}
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	built := image(t, runtime.GOARCH)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "mkimage: no files are given: ARCHITECTURE=DIR\n"},
		{[]string{"--nosuch"}, "mkimage: unknown option: --nosuch (see mkimage --help)\n"},
		{[]string{"amd64=" + with("other", "no program, but a text of 64 bytes and more, which is what it reads")}, "bad magic number"},
		{[]string{other + "=" + built}, "not for " + `"` + other + `"`},
		{[]string{runtime.GOARCH + "=" + with("shell", string(shell))}, "it is not static"},
		{[]string{"--base", text, "amd64=a", "arm64=b"}, "--base: the files of a distribution are for one architecture"},
		{[]string{"--base", text, runtime.GOARCH + "=" + built}, "layer: "},
		{[]string{"-o", "/nowhere", runtime.GOARCH + "=" + built}, "/nowhere"},
	} {
		var stderr bytes.Buffer
		status := run(append([]string{"-o", dir}, tt.args...), &stderr)
		if status == 0 || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%q: got %d, %s, want %s", tt.args, status, &stderr, tt.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tar*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestContainerfile: who builds with a tool for containers gets the same.
func TestContainerfile(t *testing.T) {
	text, err := os.ReadFile("../Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`ENTRYPOINT \["` + strings.Join(entrypoint, `", "`) + `"\]`,
		`ENV ` + searchPath,
		`RUN .*make image IMAGE_ARCHES=\$arch && mv bin/image/\$arch /image\n`,
		`COPY --from=build /image/ /\n`,
	} {
		if !regexp.MustCompile(`(?m)^` + want).Match(text) {
			t.Errorf("there is no line %s", want)
		}
	}
}
