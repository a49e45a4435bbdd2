package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/kernelsrc/kmod"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// Presets of the size of a ring: Falco's.
const (
	minPreset     = 1
	maxPreset     = 10
	defaultPreset = 4
)

// presetSize is the size that a preset stands for, bytes.
func presetSize(preset int) int { return 1 << 20 << (preset - 1) }

func (o *options) checkEngine() error {
	if o.preset < minPreset || o.preset > maxPreset {
		return cli.ValueError("buffer-preset", strconv.Itoa(o.preset), fmt.Sprintf("between %d and %d", minPreset, maxPreset))
	}
	if !o.kmod {
		if o.flags.Changed("buffer-preset") {
			return fmt.Errorf("--buffer-preset: only rings of the kernel have presets (--kmod)")
		}
		return nil
	}
	for _, name := range []string{"userspace", "ring", "ring-mode", "ring-size"} {
		if o.flags.Changed(name) {
			return fmt.Errorf("--kmod and --%s exclude each other", name)
		}
	}
	if len(o.command) > 0 {
		return fmt.Errorf("--kmod: a command has a ring of its own")
	}
	return nil
}

// openSource opens the live source that was asked for.
func (p *program) openSource() (source.Source, error) {
	if p.kmod {
		return p.openModule()
	}
	if !p.userspace {
		fmt.Fprintln(p.stderr, "sensor: no source given: reading the userspace ring (-u)")
	}
	c, err := shm.NewConsumer(shm.ConsumerConfig{
		Config:  shm.Config{Prefix: p.ring, Mode: p.mode},
		Snaplen: p.snaplen, Ceiling: p.ceiling(), Truth: true, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// openModule opens Falco's kernel module.
func (p *program) openModule() (source.Source, error) {
	cfg := kmod.Config{
		Root: os.Getenv("HOST_ROOT"), RingSize: presetSize(p.preset), Snaplen: p.snaplen,
		Switches: p.all, Signals: p.all, Log: p.log,
	}
	if !p.all {
		cfg.Wants = func(c *syscalls.Call) bool { return c.Level <= syscalls.LevelSecurity }
	}
	d, err := kmod.Open(cfg)
	switch {
	case errors.Is(err, kmod.ErrNotLoaded):
		return nil, fmt.Errorf("--kmod: %w: load it (modprobe falco, or scap of falcosecurity-scap-dkms)", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("--kmod: %w: run as root", err)
	case err != nil:
		return nil, fmt.Errorf("--kmod: %w", err)
	}
	return source.Merge(d), nil
}
