package cmdline

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

func (o *options) checkPreset() error {
	if o.preset < minPreset || o.preset > maxPreset {
		return cli.ValueError("buffer-preset", strconv.Itoa(o.preset), fmt.Sprintf("between %d and %d", minPreset, maxPreset))
	}
	return nil
}

func (p *program) ringConfig() shm.Config { return shm.Config{Prefix: p.ring, Mode: p.mode} }

// probeRing looks at the ring in shared memory.
func (p *program) probeRing() (string, error) {
	c, err := shm.Inspect(p.ringConfig())
	switch {
	case err != nil:
		return "", &refusal{err, "a ring elsewhere is named by --ring; pdig --doctor says what pdig needs"}
	case c.Reader != 0 && !c.Unseen:
		return "", &refusal{fmt.Errorf("process %d reads %s", c.Reader, c.Name), "another ring is named by --ring"}
	case c.Exists:
		return c.Name + " is there", nil
	}
	return c.Name + " can be made", nil
}

// openRing opens the ring in shared memory.
func (p *program) openRing() (source.Source, error) {
	c, err := shm.NewConsumer(shm.ConsumerConfig{
		Config: p.ringConfig(), Snaplen: p.snaplen, Ceiling: p.ceiling(), Truth: true, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (p *program) moduleConfig() kmod.Config {
	return kmod.Config{
		Root: os.Getenv("HOST_ROOT"), RingSize: presetSize(p.preset), Snaplen: p.snaplen,
		Wants: p.wants(), Switches: p.all, Signals: p.all, Log: p.log,
	}
}

// wants selects the calls that a source of the kernel is asked for: nil is all.
func (p *program) wants() func(*syscalls.Call) bool {
	if p.all {
		return nil
	}
	return func(c *syscalls.Call) bool { return c.Level <= syscalls.LevelSecurity || p.filtersFor(c) }
}

// filtersFor reports whether a call has to be recorded because of the filter.
func (p *program) filtersFor(c *syscalls.Call) bool { return p.filter != nil && p.filter.Wants(c) }

// probeModule looks for Falco's kernel module, as a consumer that leaves at once.
func (p *program) probeModule() (string, error) {
	found, err := kmod.Probe(p.moduleConfig())
	if err != nil {
		return "", moduleRefusal(err)
	}
	return fmt.Sprintf("%s, API %s, schema %s", found.Device, found.API, found.Schema), nil
}

// openModule opens Falco's kernel module.
func (p *program) openModule() (source.Source, error) {
	d, err := kmod.Open(p.moduleConfig())
	if err != nil {
		return nil, moduleRefusal(err)
	}
	return source.Merge(d), nil
}

func moduleRefusal(err error) error {
	switch {
	case errors.Is(err, kmod.ErrNotLoaded):
		return &refusal{err, "load it (sensor --driver load)"}
	case errors.Is(err, kmod.ErrBusy):
		return &refusal{err, "end one of them, or load it with a larger max_consumers"}
	case errors.Is(err, os.ErrPermission):
		return &refusal{err, "run as root, with CAP_DAC_OVERRIDE"}
	}
	return err
}
