package verify

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pdig/pdig/images/archive"
	"github.com/pdig/pdig/internal/cli"
)

var update = flag.Bool("update", false, "write the verdicts anew")

// program is the beginning of an ELF file for a machine.
func program(machine elf.Machine) []byte {
	head := make([]byte, 64)
	copy(head, elf.ELFMAG+"\x02\x01\x01")
	binary.LittleEndian.PutUint16(head[elfMachine:], uint16(machine))
	return head
}

func file(name string, mode int64, data string) archive.Content {
	return archive.Content{Path: name, Mode: mode, Data: []byte(data)}
}

var (
	amd64 = file("usr/bin/falco-trace", 0o755, string(program(elf.EM_X86_64)))
	arm64 = file("usr/bin/falco-trace", 0o755, string(program(elf.EM_AARCH64)))
	nginx = file("usr/sbin/nginx", 0o755, string(program(elf.EM_X86_64)))
	shell = file("bin/sh", 0o755, string(program(elf.EM_X86_64)))
	users = file("etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
)

type files = []archive.Content

// sample is an image that somebody has built.
type sample struct {
	entrypoint, cmd []string
	user            string
	arch            string // amd64 if empty
	layers          []files
	history         []string // of the layers
	env             []string
}

func (s sample) make(t *testing.T) archive.New {
	t.Helper()
	var n archive.New
	n.Config.OS, n.Config.Architecture = "linux", s.arch
	if s.arch == "" {
		n.Config.Architecture = "amd64"
	}
	n.Config.Config.Entrypoint, n.Config.Config.Cmd, n.Config.Config.User = s.entrypoint, s.cmd, s.user
	n.Config.Config.Env = s.env
	for _, made := range s.history {
		n.Config.History = append(n.Config.History, ocispec.History{CreatedBy: made}, ocispec.History{CreatedBy: "ENV A=B", EmptyLayer: true})
	}
	for _, fs := range s.layers {
		l, err := archive.NewLayer(fs, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		n.Layers = append(n.Layers, l)
	}
	return n
}

// traced is an ENTRYPOINT as it should be.
func traced(words ...string) []string {
	return append([]string{"/usr/bin/falco-trace", "run", "--"}, words...)
}

// member is a file of an archive.
type member struct {
	tar.Header
	data []byte
}

// members reads an archive, and pack writes one.
func members(t *testing.T, b []byte) []member {
	t.Helper()
	var out []member
	for in := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, member{*h, data})
	}
}

func pack(t *testing.T, ms []member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range ms {
		m.Size = int64(len(m.data))
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// without leaves files out of an archive.
func without(names ...string) func(*testing.T, []byte) []byte {
	return func(t *testing.T, b []byte) []byte {
		var out []member
		for _, m := range members(t, b) {
			keep := true
			for _, name := range names {
				keep = keep && m.Name != name
			}
			if keep {
				out = append(out, m)
			}
		}
		return pack(t, out)
	}
}

var (
	dockerOnly = without("index.json", "oci-layout")
	ociOnly    = without("manifest.json")
)

func zipped(t *testing.T, b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// legacy is what docker before 25 saves: a directory for each layer, which is not
// compressed, and links between those that are the same.
func legacy(t *testing.T, b []byte) []byte {
	return relayered(t, b, func(plain []byte) []byte { return plain })
}

// zstandard is the same with compressed layers.
func zstandard(t *testing.T, b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return relayered(t, b, func(plain []byte) []byte { return w.EncodeAll(plain, nil) })
}

func relayered(t *testing.T, b []byte, pack1 func([]byte) []byte) []byte {
	t.Helper()
	var list []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	blobs := map[string][]byte{}
	for _, m := range members(t, b) {
		blobs[m.Name] = m.data
	}
	if err := json.Unmarshal(blobs["manifest.json"], &list); err != nil {
		t.Fatal(err)
	}
	out := []member{{tar.Header{Name: "./config.json", Mode: 0o644}, blobs[list[0].Config]}}
	list[0].Config = "config.json"
	first := map[string]string{}
	for i, name := range list[0].Layers {
		stored := fmt.Sprintf("%d/layer.tar", i)
		list[0].Layers[i] = stored
		if other, ok := first[name]; ok {
			out = append(out, member{tar.Header{Name: stored, Typeflag: tar.TypeSymlink, Linkname: "../" + other}, nil})
			continue
		}
		first[name] = stored
		z, err := gzip.NewReader(bytes.NewReader(blobs[name]))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, member{tar.Header{Name: stored, Mode: 0o644}, pack1(plain)})
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return pack(t, append(out, member{tar.Header{Name: "manifest.json", Mode: 0o644}, text}))
}

// samples are archives, in the order of testdata/verdicts.txt.
var samples = []struct {
	name   string
	images []sample
	shape  func(*testing.T, []byte) []byte
}{
	{"as it should be", []sample{{
		entrypoint: traced(), cmd: []string{"nginx", "-g", "daemon off;"}, user: "1000", env: []string{"FALCO_TRACE_OUTPUT=unix:/run/events"},
		layers: []files{{amd64, nginx}},
	}}, nil},
	{"options", []sample{{
		entrypoint: []string{"/usr/bin/falco-trace", "run", "-o", "stderr", "--"}, cmd: []string{"nginx"}, user: "1000",
		layers: []files{{amd64, nginx}},
	}}, nil},
	{"ENTRYPOINT lost", []sample{{entrypoint: []string{"nginx"}, cmd: []string{"-g", "daemon off;"}, layers: []files{{amd64, nginx}}}}, ociOnly},
	{"ENTRYPOINT in shell form", []sample{{
		entrypoint: []string{"/bin/sh", "-c", "cd / && exec falco-trace run -- nginx"}, cmd: []string{"-t"},
		layers: []files{{amd64, nginx, shell}},
	}}, zipped},
	{"ENTRYPOINT in shell form without a command", []sample{{
		entrypoint: []string{"/bin/sh", "-c", "falco-trace run --"}, cmd: []string{"nginx"},
		layers: []files{{amd64, nginx, shell}},
	}}, nil},
	{"shell form without a shell", []sample{{
		entrypoint: []string{"/bin/sh", "-c", "falco-trace run -- /usr/sbin/nginx"}, layers: []files{{amd64, nginx}},
	}}, dockerOnly},
	{"ENTRYPOINT in the form of a SHELL with options", []sample{{
		entrypoint: []string{"/bin/bash", "-eo", "pipefail", "-c", "cd / && exec falco-trace run -- nginx"},
		layers:     []files{{amd64, nginx, file("bin/bash", 0o755, string(program(elf.EM_X86_64)))}},
	}}, nil},
	{"CMD in shell form by a small init", []sample{{
		entrypoint: []string{"/tini", "--"}, cmd: []string{"/bin/sh", "-c", "falco-trace run -- nginx"},
		layers: []files{{file("tini", 0o755, ""), amd64, nginx, shell}},
	}}, nil},
	{"CMD in shell form", []sample{{entrypoint: traced(), cmd: []string{"/bin/sh", "-c", "echo falco-trace"}, user: "app", layers: []files{{amd64, shell, users}}}}, legacy},
	{"the tracer in CMD", []sample{{cmd: traced("nginx", "-t"), user: "1000:1000", layers: []files{{amd64, nginx}}}}, nil},
	{"removed", []sample{{
		entrypoint: traced(), cmd: []string{"nginx"},
		layers:  []files{{amd64, nginx}, {file("usr/bin/.wh.falco-trace", 0o644, "")}},
		history: []string{"COPY / /", "RUN rm -f /usr/bin/falco*"},
	}}, zstandard},
	{"removed with its directory", []sample{{
		entrypoint: []string{"falco-trace", "run", "--"}, cmd: []string{"sh"},
		layers:  []files{{amd64, shell}, {file("usr/bin/.wh..wh..opq", 0o644, ""), file("usr/bin/other", 0o755, "")}},
		history: []string{"COPY / /", "COPY usr/bin /usr/bin"},
	}}, ociOnly},
	{"removed and brought back", []sample{{
		entrypoint: traced(), cmd: []string{"sh"}, user: "1000",
		layers: []files{{amd64, shell}, {file("usr/.wh.bin", 0o644, "")}, {amd64}},
	}}, legacy},
	{"not executable", []sample{{
		entrypoint: traced(), cmd: []string{"nginx"}, user: "app",
		layers: []files{{file(amd64.Path, 0o744, string(amd64.Data)), nginx, users}},
	}}, nil},
	{"in a closed directory", []sample{{
		entrypoint: []string{"/opt/falco-trace", "run", "--"}, cmd: []string{"nginx"}, user: "1000",
		layers: []files{{{Path: "opt", Mode: 0o700, Dir: true}, file("opt/falco-trace", 0o755, string(amd64.Data)), nginx}},
	}}, nil},
	{"for root only", []sample{{
		entrypoint: []string{"/opt/falco-trace", "run", "--"}, cmd: []string{"nginx"},
		layers: []files{{{Path: "opt", Mode: 0o700, Dir: true}, file("opt/falco-trace", 0o755, string(amd64.Data)), nginx}},
	}}, nil},
	{"one of two platforms", []sample{
		{entrypoint: traced(), cmd: []string{"true"}, user: "1000", layers: []files{{amd64, file("bin/true", 0o755, string(amd64.Data))}}},
		{entrypoint: traced(), cmd: []string{"true"}, user: "1000", arch: "arm64", layers: []files{{amd64, file("bin/true", 0o755, string(arm64.Data))}}},
	}, nil},
	{"not copied", []sample{{entrypoint: traced("nginx"), layers: []files{{nginx}}}}, nil},
	{"another image", []sample{{cmd: []string{"nginx"}, layers: []files{{nginx}}}}, nil},
	{"elsewhere", []sample{{entrypoint: traced(), cmd: []string{"nginx"}, layers: []files{{file("falco/falco-trace", 0o755, string(amd64.Data)), nginx}}}}, nil},
	{"an option that is none", []sample{{
		entrypoint: []string{"/usr/bin/falco-trace", "run", "--nosuch", "--"}, cmd: []string{"nginx"}, user: "1000", layers: []files{{amd64, nginx}},
	}}, nil},
	{"a variable that is no value", []sample{{
		entrypoint: traced(), cmd: []string{"nginx"}, user: "1000", env: []string{"FALCO_TRACE_JSON=true", "FALCO_TRACE_JSON=perhaps"}, layers: []files{{amd64, nginx}},
	}}, nil},
	{"options and a command without a mark between them", []sample{{
		entrypoint: []string{"/usr/bin/falco-trace", "run", "-o", "stderr", "nginks"}, user: "1000", layers: []files{{amd64, nginx}},
	}}, nil},
	{"options without a command", []sample{{
		entrypoint: []string{"/usr/bin/falco-trace", "run", "-o", "stderr"}, user: "1000", layers: []files{{amd64, nginx}},
	}}, nil},
	{"an empty variable", []sample{{
		entrypoint: traced(), cmd: []string{"nginx"}, user: "1000", env: []string{"FALCO_TRACE_OUTPUT="}, layers: []files{{amd64, nginx}},
	}}, nil},
	{"no such user", []sample{{entrypoint: traced(), cmd: []string{"nginx"}, user: "www", layers: []files{{amd64, nginx, users}}}}, nil},
	{"no such platform", []sample{{entrypoint: traced(), cmd: []string{"nginx"}, arch: "riscv64", layers: []files{{amd64, nginx}}}}, nil},
	{"a script", []sample{{
		entrypoint: []string{"/entrypoint.sh"}, cmd: []string{"nginx"},
		layers: []files{{amd64, nginx, shell, file("entrypoint.sh", 0o755, "#!/bin/sh\nexec falco-trace run -- \"$@\"\n")}},
	}}, nil},
	{"by a small init", []sample{{
		entrypoint: append([]string{"/tini", "--"}, traced()...), cmd: []string{"nginx"}, user: "1000",
		layers: []files{{file("opt/tini", 0o755, ""), {Path: "tini", Link: "opt/../opt/tini"}, amd64, nginx}},
	}}, nil},
	{"by something", []sample{{
		entrypoint: append([]string{"/launch"}, traced()...), cmd: []string{"nginx"},
		layers: []files{{file("launch", 0o755, ""), amd64, nginx}},
	}}, nil},
	{"no command", []sample{{entrypoint: traced(), layers: []files{{amd64}}}}, nil},
	{"no role", []sample{{entrypoint: []string{"falco-trace"}, cmd: []string{"nginx"}, layers: []files{{amd64, nginx}}}}, nil},
	{"the command is missing", []sample{{entrypoint: traced(), cmd: []string{"ngnix"}, user: "1000", layers: []files{{amd64, nginx}}}}, nil},
	{"the command is not executable", []sample{{
		entrypoint: traced(), cmd: []string{"/nginx"}, user: "1000", layers: []files{{amd64, file("nginx", 0o644, "")}},
	}}, nil},
	{"the command is a directory", []sample{{entrypoint: traced(), cmd: []string{"/usr"}, user: "1000", layers: []files{{amd64}}}}, nil},
	{"a loop of links", []sample{{entrypoint: traced(), cmd: []string{"/a"}, user: "1000", layers: []files{{amd64, {Path: "a", Link: "a"}}}}}, nil},
	{"a sidecar", []sample{{entrypoint: []string{"falco-trace"}, cmd: []string{"attach", "-p", "1"}, user: "1000", layers: []files{{amd64}}}}, nil},
	{"words that move the cursor", []sample{{entrypoint: []string{"\x1b[2J\u009b"}, cmd: []string{"\r\n"}, layers: []files{{amd64}}}}, nil},
	{"a path that moves the cursor", []sample{{
		entrypoint: []string{"/\x1b[2J\n/falco-trace", "run", "--"}, cmd: []string{"nginx"}, user: "1000",
		layers: []files{{file("\x1b[2J\n/falco-trace", 0o744, string(amd64.Data)), nginx}},
	}}, nil},
	{"a layer is missing", []sample{{entrypoint: traced(), cmd: []string{"nginx"}, layers: []files{{amd64}, {nginx}}}}, func(t *testing.T, b []byte) []byte {
		return without("1/layer.tar")(t, legacy(t, b))
	}},
}

// readRun reads some of the options of run.
func readRun(args []string, lookup func(string) (string, bool)) ([]string, error) {
	f := cli.NewFlagSet("falco-trace run")
	f.SetInterspersed(false)
	f.StringP("output", "o", "", "")
	f.Bool("json", false, "")
	err := cli.Parse(f, args)
	if err == nil {
		err = cli.ParseEnvironment(f, "FALCO_TRACE_", lookup)
	}
	return f.Args(), err
}

// TestVerdicts: what is said of each archive, and the status.
func TestVerdicts(t *testing.T) {
	t.Chdir(t.TempDir())
	var got strings.Builder
	for _, s := range samples {
		var images []archive.New
		for _, img := range s.images {
			images = append(images, img.make(t))
		}
		var b bytes.Buffer
		if err := archive.Write(&b, "app:1", images, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		content := b.Bytes()
		if s.shape != nil {
			content = s.shape(t, content)
		}
		if err := os.WriteFile("image.tar", content, 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		status := Run(readRun, []string{"image.tar"}, &stdout, &stderr)
		fmt.Fprintf(&got, "## %s: status %d\n%s%s\n", s.name, status, &stdout, &stderr)
	}
	compare(t, got.String())
}

func compare(t *testing.T, got string) {
	t.Helper()
	golden := filepath.Join(sourceDir, "testdata", "verdicts.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// sourceDir is where the test was started.
var sourceDir, _ = os.Getwd()

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"--help", 0, usage, ""},
		{"", 2, "", "falco-trace: verify: the name of a file is missing (see falco-trace verify --help)\n"},
		{"--nosuch", 2, "", "falco-trace: unknown option: --nosuch (see falco-trace verify --help)\n"},
		{"/nowhere.tar", 1, "", "falco-trace: verify: /nowhere.tar: open /nowhere.tar: no such file or directory\n"},
	} {
		var stdout, stderr bytes.Buffer
		if status := Run(readRun, strings.Fields(tt.args), &stdout, &stderr); status != tt.status || stdout.String() != tt.stdout || stderr.String() != tt.stderr {
			t.Errorf("%q: got %d, %q, %q", tt.args, status, &stdout, &stderr)
		}
	}
}
