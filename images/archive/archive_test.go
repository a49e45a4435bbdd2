package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// tarOf is a tar file with entries in turn: names and contents, or names that end in
// @TARGET, which are links.
func tarOf(entries ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		h := &tar.Header{Name: entries[i], Mode: 0o644, Size: int64(len(entries[i+1]))}
		if name, target, ok := strings.Cut(h.Name, "@"); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeSymlink
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := w.Write([]byte(entries[i+1])); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// docker is an archive in docker's format with the layers.
func docker(layers ...[]byte) []byte {
	var names, diffs []string
	var entries []string
	for i, l := range layers {
		names = append(names, fmt.Sprintf("%q", fmt.Sprintf("%d.tar", i)))
		diffs = append(diffs, fmt.Sprintf("%q", digest.FromBytes(l)))
		entries = append(entries, fmt.Sprintf("%d.tar", i), string(l))
	}
	return tarOf(append(entries,
		"manifest.json", fmt.Sprintf(`[{"Config":"c.json","Layers":[%s]}]`, strings.Join(names, ",")),
		"c.json", fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[%s]}}`, strings.Join(diffs, ",")))...)
}

func open(t *testing.T, b []byte, l Limits) (*Archive, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(name, l)
	if err != nil {
		err = errors.New(strings.TrimPrefix(err.Error(), name+": "))
	}
	return a, err
}

func anything(string) bool { return true }
func nothing(string) bool  { return false }

// small are limits that a test can exceed.
var small = Limits{Entries: 100, Document: 3000, Kept: 10_000, Unpacked: 1 << 20, Images: 3, Layers: 3}

// TestRefused: what is wrong with an archive is said, of the whole or of the image.
func TestRefused(t *testing.T) {
	many := func(n int, format string) []byte {
		var entries []string
		for i := range n {
			entries = append(entries, fmt.Sprintf(format, i), "")
		}
		return tarOf(entries...)
	}
	layout := func(entries ...string) []byte { return tarOf(append([]string{"oci-layout", "{}"}, entries...)...) }
	blobs := func(texts ...string) (entries []string) {
		for _, text := range texts {
			name, _ := blob(digest.FromString(text))
			entries = append(entries, name, text)
		}
		return entries
	}
	index := func(texts ...string) string {
		var list []string
		for _, text := range texts {
			list = append(list, fmt.Sprintf(`{"digest":%q}`, digest.FromString(text)))
		}
		return `{"manifests":[` + strings.Join(list, ",") + `]}`
	}
	deep := []string{index()}
	for range 5 {
		deep = append(deep, index(deep[len(deep)-1]))
	}
	for name, tt := range map[string]struct {
		archive []byte
		want    string
	}{
		"empty":            {nil, "not an archive of images: there is no file in it"},
		"text":             {bytes.Repeat([]byte("no tar "), 200), "archive/tar: invalid tar header"},
		"xz":               {[]byte("\xfd7zXZ\x00"), "compressed with xz, which is not supported: unpack it first"},
		"gzip, cut":        {gzipped(docker())[:100], "unexpected EOF"},
		"tar, cut":         {docker(tarOf("a", "b"))[:1500], "unexpected EOF"},
		"docker export":    {tarOf("bin/sh", "x"), "not an archive of images: neither manifest.json (docker save, podman save) nor index.json (an OCI layout) is in it; docker export writes the files of a container, without their configuration"},
		"old docker":       {tarOf("repositories", "{}"), "written by a docker before 1.10: load it and save it again"},
		"no image":         {tarOf("manifest.json", "[]"), "there is no image in it"},
		"no JSON":          {tarOf("manifest.json", "x"), "manifest.json is no JSON"},
		"half of JSON":     {tarOf("manifest.json", "[{"), "manifest.json: unexpected end of JSON input"},
		"other JSON":       {tarOf("manifest.json", "{}"), "manifest.json: json: cannot unmarshal object into Go value of type []archive.dockerImage"},
		"no configuration": {tarOf("manifest.json", `[{"Config":"../c.json"}]`), "image: c.json: not in the archive"},
		"a string":         {tarOf("manifest.json", `[{"Config":"c.json"}]`, "c.json", `{"config":{"Cmd":"sh"}}`), "image: c.json: json: cannot unmarshal string into Go struct field ImageConfig.config.Cmd of type []string"},
		"other layers":     {tarOf("manifest.json", `[{"Config":"c.json","Layers":["1"]}]`, "c.json", `{}`), "image: the configuration is of 0 layers, the manifest of 1"},
		"links":            {tarOf("manifest.json@a", "", "a@manifest.json", ""), "not an archive of images: neither manifest.json (docker save, podman save) nor index.json (an OCI layout) is in it; docker export writes the files of a container, without their configuration"},
		"many files":       {many(101, "%d"), "too large to be examined: more than 100 files"},
		"long names":       {many(99, strings.Repeat("x", 200)+"%d"), "too large to be examined: more than 10000 bytes of names and documents"},
		"long document":    {tarOf("manifest.json", "["+strings.Repeat(" ", 3000)+"]"), "manifest.json: too large to be examined: it has 3002 bytes"},
		"long documents":   {tarOf("1", "{"+strings.Repeat(" ", 2900), "2", "{"+strings.Repeat(" ", 2900), "3", "{"+strings.Repeat(" ", 2900), "4", "{"+strings.Repeat(" ", 2900)), "too large to be examined: more than 10000 bytes of names and documents"},
		"a bomb":           {gzipped(tarOf("x", strings.Repeat("\x00", 2<<20))), "too large to be examined: more than 1048576 bytes unpacked"},
		"many images":      {tarOf("manifest.json", "[{},{},{},{}]"), "too large to be examined: more than 3 images"},
		"many layers":      {docker(tarOf(), tarOf(), tarOf(), tarOf()), "image: too large to be examined: it has 4 layers"},
		"deep indexes":     {layout(append(blobs(deep...), "index.json", index(deep[4]))...), "too large to be examined: more than 4 indexes in each other"},
		"many manifests":   {layout(append(blobs(deep[0]), "index.json", index(repeat(deep[0], 25)...))...), "too large to be examined: too many manifests"},
		"no digest":        {layout("index.json", `{"manifests":[{"digest":"../../x"}]}`), `image: "../../x": invalid checksum digest format`},
		"a false name":     {layout("index.json", index("{}"), "blobs/sha256/"+digest.FromString("{}").Encoded(), "{ }"), "image: blobs/sha256/" + digest.FromString("{}").Encoded() + ": damaged: it is not what its name says"},
		"nothing pulled":   {layout("index.json", index("{}")), "there is no image in it"},
	} {
		a, err := open(t, tt.archive, small)
		got := "nothing"
		switch {
		case err != nil:
			got = err.Error()
		case a.Images[0].Err != nil:
			got = "image: " + a.Images[0].Err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s\nwant %s", name, got, tt.want)
		}
	}
}

// TestNoFile: what can be read once only is refused, and not waited for.
func TestNoFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, t.TempDir(), os.DevNull} {
		want := name + ": not a regular file, which it has to be, since it is read more than once"
		if _, err := Open(name, small); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func repeat(s string, n int) (out []string) {
	for range n {
		out = append(out, s)
	}
	return out
}

// TestLayersRefused: what is wrong with a layer.
func TestLayersRefused(t *testing.T) {
	exchanged := bytes.Replace(docker(tarOf("a", "b")), []byte("b"), []byte("c"), 1)
	for name, tt := range map[string]struct {
		archive []byte
		want    string
	}{
		"exchanged":     {exchanged, "is not the one of the configuration"},
		"no tar":        {docker(bytes.Repeat([]byte("x"), 2000)), "layer 1: archive/tar: invalid tar header"},
		"many files":    {docker(tarOf(repeat("f", 220)...)), "too large to be examined: more than 100 files"},
		"deep":          {docker(tarOf(strings.Repeat("d/", 120)+"f", "")), "layer 1: too large to be examined: more than 100 files"},
		"a long name":   {docker(tarOf(strings.Repeat("d/", 3000)+"f", "")), "layer 1: too large to be examined: a name of 6001 bytes"},
		"a bomb inside": {docker(tarOf("a", "b"), gzipped(tarOf("x", strings.Repeat("\x00", 2<<20)))), "too large to be examined: more than 1048576 bytes unpacked"},
	} {
		a, err := open(t, tt.archive, small)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := a.Files(a.Images[0], nothing); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want … %s", name, err, tt.want)
		}
	}
}

// TestLayerAgain: what a layer takes away counts each time that the layer is named.
func TestLayerAgain(t *testing.T) {
	const again = 20
	var entries []string
	for i := range 10 {
		entries = append(entries, fmt.Sprintf(".wh.%d", i), "")
	}
	layer := tarOf(entries...)
	named := func(word string) string { return strings.Join(repeat(fmt.Sprintf("%q", word), again), ",") }
	a, err := open(t, tarOf("0.tar", string(layer),
		"manifest.json", fmt.Sprintf(`[{"Config":"c.json","Layers":[%s]}]`, named("0.tar")),
		"c.json", fmt.Sprintf(`{"rootfs":{"diff_ids":[%s]}}`, named(digest.FromBytes(layer).String()))),
		Limits{Entries: 20, Document: 3000, Kept: 10_000, Unpacked: 1 << 20, Images: 1, Layers: again})
	if err != nil || a.Images[0].Err != nil {
		t.Fatal(err, a.Images[0].Err)
	}
	if _, err := a.Files(a.Images[0], nothing); !errors.Is(err, ErrLimit) {
		t.Errorf("got %v, want %v", err, ErrLimit)
	}
}

// TestFind: paths lead where the kernel would go.
func TestFind(t *testing.T) {
	lower := tarOf("usr/bin/prog", "old", "bin@usr/bin", "", "loop@loop", "", "up@../../usr/./bin/../bin", "", "abs@/usr", "", "gone/a", "", "full/a", "", "was/a", "")
	upper := tarOf("usr/bin/prog", "new", ".wh.gone", "", "full/.wh..wh..opq", "", "full/b", "", "was", "file")
	a, err := open(t, docker(lower, upper), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := a.Files(a.Images[0], anything)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/usr/bin/prog": "usr/bin/prog new 1", "bin/prog": "usr/bin/prog new 1", "/up/prog": "usr/bin/prog new 1", "/abs/bin/../bin/prog": "usr/bin/prog new 1",
		"../../bin/./prog": "usr/bin/prog new 1", "/full/b": "full/b  1", "/was": "was file 1",
		"/loop": "/loop: too many symbolic links", "/gone/a": "/gone: file does not exist", "/full/a": "/full/a: file does not exist", "/was/a": "/was: file does not exist",
	} {
		f, _, err := tree.Find(name)
		got := fmt.Sprintf("%s %s %d", f.Path, f.Head, f.Layer)
		if err != nil {
			got = err.Error()
			if errors.Is(err, fs.ErrNotExist) == errors.Is(err, errLinks) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]bool{"gone/a": true, "full/a": true, "/was/a": true, "full/b": false, "usr/bin/prog": false} {
		if layer, removed := tree.Removed(name); removed != want || removed && layer != 1 {
			t.Errorf("%s: removed %v by %d, want %v", name, removed, layer, want)
		}
	}
}

// TestWrite: what is written is read again, and is the same each time.
func TestWrite(t *testing.T) {
	write := func(order ...int) []byte {
		var images []New
		for _, arch := range []string{"amd64", "arm64"} {
			files := []Content{{Path: "usr/bin/a", Mode: 0o755, Data: []byte("x")}, {Path: "b", Link: "usr/bin/a"}, {Path: "c", Mode: 0o700, Dir: true}}
			l, err := NewLayer([]Content{files[order[0]], files[order[1]], files[order[2]]}, time.Unix(1, 0))
			if err != nil {
				t.Fatal(err)
			}
			n := New{Layers: []Layer{l}}
			n.Config.Platform = ocispec.Platform{OS: "linux", Architecture: arch}
			images = append(images, n)
		}
		var b bytes.Buffer
		if err := Write(&b, "example/app:1", images, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	b := write(0, 1, 2)
	if !bytes.Equal(b, write(2, 1, 0)) {
		t.Error("the order of the files shows")
	}
	a, err := open(t, b, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, img := range a.Images {
		tree, err := a.Files(img, anything)
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := tree.Find("/b")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s: %s %v %s", img.Name, img.Config.Architecture, f.Path, f.Mode, f.Head))
	}
	if diff := cmp.Diff([]string{"example/app:1 amd64: usr/bin/a -rwxr-xr-x x", "example/app:1 arm64: usr/bin/a -rwxr-xr-x x"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzOpen: nothing in an archive makes reading it fail in another way than by an error.
func FuzzOpen(f *testing.F) {
	f.Add(docker(tarOf("usr/bin/prog", "x", "a@usr", ""), tarOf("usr/.wh.bin", "")))
	f.Add(gzipped(docker(gzipped(tarOf("a", "b")))))
	var b bytes.Buffer
	l, err := NewLayer([]Content{{Path: "a/b", Data: []byte("x")}}, time.Unix(0, 0))
	if err != nil {
		f.Fatal(err)
	}
	if err := Write(&b, "a:1", []New{{Layers: []Layer{l}}, {}}, time.Unix(0, 0)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := open(t, b, small)
		if err != nil {
			return
		}
		for _, img := range a.Images {
			if img.Err != nil {
				continue
			}
			tree, err := a.Files(img, anything)
			if err != nil {
				continue
			}
			for _, name := range tree.Wanted() {
				if _, _, err := tree.Find(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errLinks) {
					t.Errorf("%q: %v", name, err)
				}
			}
		}
	})
}
