package driver

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build makes a driver of the first sources that are there, and returns where it
// is: in the first of the given directories, or where Falco looks.
func Build(c Config) (string, error) {
	sources := c.sources()
	if len(sources) == 0 {
		c.say("no sources in %s (the package falcosecurity-scap-dkms has some)", filepath.Join(c.Root, "/usr/src"))
	}
	for _, dir := range sources {
		path, err := c.build(dir)
		if err == nil {
			c.say("%s: built %s", dir, path)
			return path, nil
		}
		c.say("%s: %v", dir, err)
	}
	return "", ErrNone
}

func (c *Config) build(source string) (string, error) {
	if _, err := os.Stat(c.headers()); err != nil {
		return "", fmt.Errorf("the headers of kernel %s are not installed: %w", c.Kernel.Release, err)
	}
	work, err := os.MkdirTemp("", "driver-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	work = filepath.Join(work, "src") // with the modes of the sources
	if err := os.CopyFS(work, os.DirFS(source)); err != nil {
		return "", err
	}
	name, version, _ := strings.Cut(filepath.Base(source), "-")
	made, args := filepath.Join(work, name+".ko"), []string{"-C", c.headers(), "M=" + work, "modules"}
	if c.Kind == Probe {
		// Its Makefile is for one level below.
		made, args = filepath.Join(work, "bpf", "probe.o"), []string{"-C", c.headers(), "M=" + filepath.Join(work, "bpf")}
	}
	cmd := exec.Command("make", args...)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "KERNELDIR="+c.headers()) // 0.20.0 looks in /lib/modules, wherever Root is
	if out, err := cmd.CombinedOutput(); err != nil && len(out) == 0 {
		return "", err
	} else if err != nil {
		return "", fmt.Errorf("make %s: %w: %s", strings.Join(args, " "), err, lastWords(out))
	}
	return c.keep(made, name, version)
}

// keep puts what was made where it will be found.
func (c *Config) keep(made, name, version string) (string, error) {
	dir := filepath.Join(c.home(), version, c.Kernel.Machine)
	if len(c.Dirs) > 0 {
		dir = c.Dirs[0]
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	from, err := os.Open(made)
	if err != nil {
		return "", err
	}
	defer from.Close()
	path := filepath.Join(dir, c.file(name, c.Kernel.Target))
	to, err := os.CreateTemp(dir, ".driver-")
	if err != nil {
		return "", err
	}
	defer os.Remove(to.Name()) // unless it was renamed
	_, err = io.Copy(to, from)
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", err
	}
	return path, os.Rename(to.Name(), path)
}

// lastWords is what a program has said about its end: the first error, else the
// last line.
func lastWords(out []byte) string {
	lines := strings.Split(string(bytes.TrimSpace(out)), "\n")
	for _, line := range lines {
		if strings.Contains(line, "rror") || strings.Contains(line, "not found") {
			return line
		}
	}
	return lines[len(lines)-1]
}
