package driver

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// find returns the files that could be drivers of this kernel: by Falco's names,
// those that DKMS has built, and in given directories also those of any build.
func (c *Config) find() (all []string) {
	add := func(pattern string) {
		paths, _ := filepath.Glob(pattern) // without the few that are no patterns
		slices.Sort(paths)
		slices.Reverse(paths) // newer versions first
		for _, path := range paths {
			if !slices.Contains(all, path) {
				all = append(all, path)
			}
		}
	}
	for _, name := range names {
		for _, dir := range append(slices.Clone(c.Dirs), c.home()) {
			for _, target := range []string{c.Kernel.Target, "*"} {
				file := c.file(name, target)
				add(filepath.Join(dir, file))
				add(filepath.Join(dir, "*", file))
				add(filepath.Join(dir, "*", c.Kernel.Machine, file))
			}
		}
	}
	for _, dir := range c.Dirs {
		for _, name := range append(slices.Clone(names), "probe", "falco-bpf") {
			add(filepath.Join(dir, name+c.suffix()))
		}
	}
	if c.Kind == Probe {
		add(c.probeLink())
		return all
	}
	for _, name := range names {
		modules := filepath.Join(c.Root, "/lib/modules", c.Kernel.Release)
		add(filepath.Join(modules, "updates/dkms", name+".ko*"))
		add(filepath.Join(modules, "extra", name+".ko*"))
		add(filepath.Join(c.Root, "/var/lib/dkms", name, "*", c.Kernel.Release, "*/module", name+".ko*"))
	}
	return all
}

// file is the name of a driver in Falco's scheme.
func (c *Config) file(name, target string) string {
	return strings.Join([]string{name, target, c.Kernel.Release, c.Kernel.Version}, "_") + c.suffix()
}

// check looks whether a file is for this kernel, as far as it tells: of a packed
// one the kernel will say.
func (c *Config) check(path string) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return errors.New("no regular file") // a pipe would be waited for
	}
	if !strings.HasSuffix(path, c.suffix()) {
		return nil
	}
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	release := ""
	if c.Kind == Probe {
		release, err = section(f, "kernel_version")
		release = strings.TrimRight(release, "\x00")
	} else {
		var info string
		info, err = section(f, ".modinfo")
		for fact := range strings.SplitSeq(info, "\x00") {
			if magic, ok := strings.CutPrefix(fact, "vermagic="); ok {
				release, _, _ = strings.Cut(magic, " ")
			}
		}
	}
	switch {
	case err != nil:
		return err
	case release == "":
		return errors.New("it does not say for which kernel it is")
	case release != c.Kernel.Release:
		return fmt.Errorf("it is for kernel %q, this is %s", release, c.Kernel.Release)
	}
	return nil
}

// maxSection bounds what is read of a file.
const maxSection = 1 << 20

func section(f *elf.File, name string) (string, error) {
	s := f.Section(name)
	if s == nil || s.Size > maxSection || s.FileSize > maxSection || s.Type == elf.SHT_NOBITS {
		return "", fmt.Errorf("it has no section %s", name)
	}
	b, err := s.Data()
	return string(b), err
}

// sources are the directories with the sources of drivers, the newest first.
func (c *Config) sources() (all []string) {
	for _, name := range names {
		dirs, _ := filepath.Glob(filepath.Join(c.Root, "/usr/src", name+"-*"))
		slices.Sort(dirs)
		slices.Reverse(dirs)
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "Makefile")); err == nil {
				all = append(all, dir)
			}
		}
	}
	return all
}

// headers is where the running kernel's are.
func (c *Config) headers() string {
	return filepath.Join(c.Root, "/lib/modules", c.Kernel.Release, "build")
}
