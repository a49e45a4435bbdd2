package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pdig/pdig/images/archive"
)

// builder is buildah with a storage of its own, and no registry.
type builder struct{ dir string }

func newBuilder(t *testing.T) *builder {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for the file systems of images that are built")
	}
	if _, err := exec.LookPath("buildah"); err != nil {
		t.Skip("needs buildah, which .ci/run installs")
	}
	b := &builder{t.TempDir()}
	if out, err := b.command("from", "scratch").CombinedOutput(); err != nil {
		t.Skipf("needs CAP_SYS_ADMIN, for the mounts of images that are built: %s", out)
	}
	return b
}

func (b *builder) command(args ...string) *exec.Cmd {
	cmd := exec.Command("buildah", append([]string{"--storage-driver", "vfs", "--root", filepath.Join(b.dir, "root"), "--runroot", filepath.Join(b.dir, "runroot")}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+b.dir)
	return cmd
}

func (b *builder) run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := b.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("buildah %q: %v\n%s", args, err, out)
	}
}

// load brings an archive into the storage.
func (b *builder) load(t *testing.T, file string) {
	t.Helper()
	b.run(t, "pull", "docker-archive:"+file)
}

// make puts an image with one layer into the storage.
func (b *builder) make(t *testing.T, name string, env []string, files ...archive.Content) {
	t.Helper()
	layer, err := archive.NewLayer(files, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	img := archive.New{Layers: []archive.Layer{layer}}
	img.Config.Platform = ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH}
	img.Config.Config.Env = env
	var text bytes.Buffer
	file := filepath.Join(b.dir, "base.tar")
	err = archive.Write(&text, name, []archive.New{img}, time.Unix(0, 0))
	if err := errors.Join(err, os.WriteFile(file, text.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	b.load(t, file)
}

// save writes an image into an archive, and reads what it says of itself.
func (b *builder) save(t *testing.T, name string) (file string, config ocispec.ImageConfig) {
	t.Helper()
	file = filepath.Join(b.dir, name+".tar")
	b.run(t, "push", name, "docker-archive:"+file+":"+name)
	return file, configOf(t, file)
}

// configOf is what the image of an archive says of itself.
func configOf(t *testing.T, file string) ocispec.ImageConfig {
	t.Helper()
	a, err := archive.Open(file, archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return a.Images[0].Config.Config
}

// TestFrom: what the document writes into a Dockerfile makes an image whose command is
// watched, and as it is without.
func TestFrom(t *testing.T) {
	needRunc(t)
	b := newBuilder(t)
	b.load(t, image(t, "falco-trace-"+runtime.GOARCH+".tar"))
	work := buildWork(t, t.TempDir())
	program, err := os.ReadFile(work)
	if err != nil {
		t.Fatal(err)
	}
	b.make(t, "docker.io/library/debian:bookworm-slim", []string{searchPath}, archive.Content{Path: "usr/sbin/nginx", Mode: 0o755, Data: program})
	all, _ := snippets(t)
	built := 0
	for _, s := range all {
		if s.language != "dockerfile" || !strings.HasPrefix(s.text, "FROM ") {
			continue
		}
		built++
		dir, name := t.TempDir(), fmt.Sprintf("app%d", built)
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(s.text), 0o600), os.WriteFile(filepath.Join(dir, "server"), program, 0o755)); err != nil {
			t.Fatal(err)
		}
		b.run(t, "build", "--isolation", "chroot", "-t", name, dir)
		file, config := b.save(t, name)
		said, err := exec.Command(image(t, runtime.GOARCH+"/usr/bin/falco-trace"), "verify", file).CombinedOutput()
		if err != nil || !strings.Contains(string(said), ": the tracer runs\n") {
			t.Errorf("verify: %v: %s", err, said)
		}
		app := newBundle(t, false)
		for _, layer := range layers(t, file) {
			unpack(t, layer, filepath.Join(app.dir, "rootfs"))
		}
		app.uid, app.readOnly, app.env = 1000, true, append(config.Env, "FALCO_TRACE_OUTPUT=stderr")
		want, _, _ := app.run(t, config.Cmd...)
		got, events, status := app.run(t, append(slices.Clone(config.Entrypoint), config.Cmd...)...)
		if !strings.HasPrefix(want, "pid 1, uid 1000, ") || got != want || status != 7 || !strings.Contains(events, "name=/etc/nothing ") {
			t.Errorf("%s: got %d, %s%s, want %s", s.text, status, got, events, want)
		}
	}
	if built < 2 {
		t.Errorf("%d Dockerfiles were found", built)
	}
}
