package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Kind is what is loaded.
type Kind string

// Kinds of drivers.
const (
	Module Kind = "kmod"
	Probe  Kind = "ebpf"
)

// Config says where drivers are.
type Config struct {
	Kind Kind
	// Root stands before the paths of the system: where the host's are in a container.
	Root string
	// Dirs are searched first, and what is built is left in the first.
	Dirs []string
	// Repo is the address of a version's drivers, without the machine and the name; "":
	// nothing is downloaded.
	Repo string
	// Home is where Falco keeps drivers, in .falco.
	Home string
	// Kernel is the running one.
	Kernel Kernel
	// Say tells of a step. Its text is a line.
	Say func(text string)
}

// ErrNone: there is no driver, nor could one be built.
var ErrNone = errors.New("there is no driver for this kernel")

// names of drivers, in the order in which they are tried: Falco's, Debian's.
var names = []string{"falco", "scap"}

func (c *Config) say(format string, args ...any) { c.Say(fmt.Sprintf(format, args...)) }

func (c *Config) suffix() string {
	if c.Kind == Probe {
		return ".o"
	}
	return ".ko"
}

// home is where what is built is left, and where Falco looks.
func (c *Config) home() string { return filepath.Join(c.Home, ".falco") }

// probeLink is what FALCO_BPF_PROBE stands for when it is empty.
func (c *Config) probeLink() string { return filepath.Join(c.home(), "falco-bpf.o") }

// Load loads a driver that is there, else one of the repository, else one that it builds.
func Load(c Config) error {
	if c.Kind == Module {
		if name := c.loaded(); name != "" {
			c.say("the module %s is loaded already", name)
			return nil
		}
	}
	for _, path := range c.find() {
		if c.try(path) {
			return nil
		}
	}
	if c.Repo != "" {
		if path := c.fetch(); path != "" && c.try(path) {
			return nil
		}
	}
	path, err := Build(c)
	if err != nil {
		return err
	}
	if !c.try(path) {
		return ErrNone
	}
	return nil
}

// try loads a file, and says why it cannot be.
func (c *Config) try(path string) bool {
	load := c.insert
	if c.Kind == Probe {
		load = c.link
	}
	err := c.check(path)
	if err == nil {
		err = load(path)
	}
	if err != nil {
		c.say("%s: %v", path, err)
		return false
	}
	c.say("%s: loaded", path)
	return true
}

// link makes a probe the one that is used. It comes into the kernel with the sensor.
func (c *Config) link(path string) error {
	path, err := filepath.Abs(path)
	if err != nil || path == c.probeLink() {
		return err
	}
	if err := os.MkdirAll(c.home(), 0o755); err != nil {
		return err
	}
	if err := os.Remove(c.probeLink()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(path, c.probeLink())
}

// Unload takes a driver away.
func Unload(c Config) error {
	if c.Kind == Probe {
		if err := os.Remove(c.probeLink()); err != nil {
			return err
		}
		c.say("%s: removed", c.probeLink())
		return nil
	}
	name := c.loaded()
	if name == "" {
		c.say("no module is loaded")
		return nil
	}
	if err := remove(name); err != nil {
		return fmt.Errorf("module %s: %w", name, err)
	}
	c.say("the module %s is unloaded", name)
	return nil
}

// Status says what is loaded and what could be. The error is [ErrNone] if nothing is
// loaded.
func Status(c Config) error {
	c.say("kernel %s, version %s, of %s, %s", c.Kernel.Release, c.Kernel.Version, c.Kernel.Target, c.Kernel.Machine)
	ready := false
	for _, path := range c.find() {
		if err := c.check(path); err != nil {
			c.say("%s: %v", path, err)
			continue
		}
		ready = ready || path == c.probeLink()
		c.say("%s: for this kernel", path)
	}
	for _, dir := range c.sources() {
		c.say("%s: sources", dir)
	}
	if _, err := os.Stat(c.headers()); err != nil {
		c.say("no headers to build with: %v", err)
	}
	if c.Kind == Module {
		name := c.loaded()
		if name != "" {
			c.say("the module %s is loaded, version %s, used %s times", name, c.fact(name, "version"), c.fact(name, "refcnt"))
		} else {
			c.say("no module is loaded")
		}
		ready = name != ""
	}
	if !ready {
		return ErrNone
	}
	return nil
}
