package driver

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var kernel = Kernel{Release: "6.1.0-56-amd64", Version: "1", Machine: "x86_64", Target: "debian"}

// object is an ELF file with one section.
func object(section, text string) []byte {
	names := "\x00" + section + "\x00.names\x00"
	at := uint64(64 + 3*64)
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	h := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: 64, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	put(h)
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: at, Size: uint64(len(text))})
	put(elf.Section64{Name: uint32(len(section) + 2), Type: uint32(elf.SHT_STRTAB), Off: at + uint64(len(text)), Size: uint64(len(names))})
	b.WriteString(text + names)
	return b.Bytes()
}

func module(release string) []byte {
	return object(".modinfo", "license=GPL\x00vermagic="+release+" SMP mod_unload \x00")
}

// place is a system below a directory.
func place(t *testing.T, kind Kind, files map[string][]byte) (Config, *[]string) {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	var said []string
	return Config{
		Kind: kind, Root: root, Home: filepath.Join(root, "home"), Dirs: []string{filepath.Join(root, "given")}, Kernel: kernel,
		Say: func(text string) { said = append(said, strings.ReplaceAll(text, root, "")) },
	}, &said
}

// TestFind: given directories, Falco's names, DKMS, in that order; those of another
// kernel are no candidates by name, or are refused by what is in them.
func TestFind(t *testing.T) {
	c, _ := place(t, Module, map[string][]byte{
		"given/scap.ko": module("5.10.0"),
		"given/7.0.0/x86_64/falco_debian_6.1.0-56-amd64_1.ko":            module(kernel.Release),
		"home/.falco/falco_ubuntu-generic_6.1.0-56-amd64_1.ko":           module(kernel.Release),
		"home/.falco/falco_debian_6.1.0-56-amd64_2.ko":                   module(kernel.Release),
		"home/.falco/falco_debian_6.1.0-56-amd64_1.o":                    nil,
		"lib/modules/6.1.0-56-amd64/updates/dkms/scap.ko.xz":             []byte("packed"),
		"var/lib/dkms/scap/0.23/6.1.0-56-amd64/x86_64/module/scap.ko.xz": []byte("packed"),
	})
	var got []string
	for _, path := range c.find() {
		path, verdict := strings.TrimPrefix(path, c.Root), "good"
		if err := c.check(filepath.Join(c.Root, path)); err != nil {
			verdict = err.Error()
		}
		got = append(got, path+": "+verdict)
	}
	want := []string{
		"/given/7.0.0/x86_64/falco_debian_6.1.0-56-amd64_1.ko: good",
		"/home/.falco/falco_ubuntu-generic_6.1.0-56-amd64_1.ko: good",
		`/given/scap.ko: it is for kernel "5.10.0", this is 6.1.0-56-amd64`,
		"/lib/modules/6.1.0-56-amd64/updates/dkms/scap.ko.xz: good",
		"/var/lib/dkms/scap/0.23/6.1.0-56-amd64/x86_64/module/scap.ko.xz: good",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCheck: files that are no drivers.
func TestCheck(t *testing.T) {
	for name, row := range map[string]struct {
		kind Kind
		file []byte
		want string
	}{
		"text":         {Module, []byte(strings.Repeat("no module ", 10)), "bad magic number"},
		"no facts":     {Module, object(".text", "x"), "no section .modinfo"},
		"no release":   {Module, object(".modinfo", "license=GPL"), "does not say"},
		"probe":        {Probe, object("kernel_version", "6.1.0-56-amd64\x00"), ""},
		"other's":      {Probe, object("kernel_version", "6.1.0-57-amd64\x00"), `"6.1.0-57-amd64"`},
		"module":       {Module, module(kernel.Release), ""},
		"other module": {Module, module("6.1.0-5"), `"6.1.0-5"`},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := place(t, row.kind, nil)
			path := filepath.Join(c.Root, "x"+c.suffix())
			if err := os.WriteFile(path, row.file, 0o644); err != nil {
				t.Fatal(err)
			}
			err := c.check(path)
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// TestCheckPipe: nobody is waited for to write a driver.
func TestCheckPipe(t *testing.T) {
	c, said := place(t, Probe, nil)
	if err := errors.Join(os.Mkdir(c.Dirs[0], 0o755), unix.Mkfifo(filepath.Join(c.Dirs[0], "probe.o"), 0o644)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- Load(c) }()
	select {
	case err := <-done:
		if want := "/given/probe.o: no regular file"; !errors.Is(err, ErrNone) || !slices.Contains(*said, want) {
			t.Errorf("%v, %q, want %q", err, *said, want)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits")
	}
}

// TestLoadProbe: the probe that fits becomes the one that Falco looks for, and goes.
func TestLoadProbe(t *testing.T) {
	c, said := place(t, Probe, map[string][]byte{
		"given/probe.o": object("kernel_version", "4.19.0\x00"),
		"home/.falco/scap_debian_6.1.0-56-amd64_1.o": object("kernel_version", "6.1.0-56-amd64\x00"),
	})
	if err := Load(c); err != nil {
		t.Fatal(err, *said)
	}
	if to, err := os.Readlink(c.probeLink()); err != nil || filepath.Base(to) != "scap_debian_6.1.0-56-amd64_1.o" {
		t.Errorf("%s, %v", to, err)
	}
	if err := Status(c); err != nil {
		t.Error(err, *said)
	}
	if err := Unload(c); err != nil {
		t.Error(err)
	}
	if err := Status(c); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// TestBuild: sources and headers make a driver, by the names that are looked for;
// without them it is said what is missing.
func TestBuild(t *testing.T) {
	if _, err := os.Stat("/usr/bin/make"); err != nil {
		t.Skip("needs make: ", err)
	}
	makefile := []byte("modules:\n\ttest $(KERNELDIR) -ef .\n\tcp $(M)/given $(M)/scap.ko\n")
	c, said := place(t, Module, map[string][]byte{
		"usr/src/scap-0.9/Makefile": nil, "usr/src/scap-0.9/given": module(kernel.Release),
		"usr/src/scap-1.0/Makefile":                 nil,
		"lib/modules/6.1.0-56-amd64/build/Makefile": makefile,
	})
	path, err := Build(c)
	if err != nil {
		t.Fatal(err, *said)
	}
	if err := c.check(path); err != nil {
		t.Error(err)
	}
	if want := "/given/scap_debian_6.1.0-56-amd64_1.ko"; strings.TrimPrefix(path, c.Root) != want {
		t.Errorf("%s, want %s", path, want)
	}
	if len(*said) != 2 || !strings.HasPrefix((*said)[0], "/usr/src/scap-1.0: make ") {
		t.Errorf("said %q", *said)
	}
	if found := c.find(); len(found) != 1 || found[0] != path {
		t.Errorf("found %q", found)
	}

	if err := os.RemoveAll(c.headers()); err != nil {
		t.Fatal(err)
	}
	*said = nil
	if _, err := Build(c); !errors.Is(err, ErrNone) || !strings.Contains(strings.Join(*said, "\n"), "headers of kernel 6.1.0-56-amd64 are not installed") {
		t.Errorf("%v, said %q", err, *said)
	}
	c.Root = t.TempDir()
	*said = nil
	if err := Load(c); !errors.Is(err, ErrNone) || !strings.Contains(strings.Join(*said, "\n"), "no sources in") {
		t.Errorf("%v, said %q", err, *said)
	}
}
