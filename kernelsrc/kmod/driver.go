package kmod

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc"
	"github.com/pdig/pdig/sensor/source"
)

// Errors of [Open].
var (
	// ErrNotLoaded: there is no module.
	ErrNotLoaded = errors.New("the kernel module is not loaded")
	// ErrBusy: the module takes no further consumer.
	ErrBusy = errors.New("the kernel module has as many consumers as it takes (its parameter max_consumers)")
)

// Driver is an open module. It implements [source.Rings].
type Driver struct {
	cfg         Config
	k           kernel
	name        string
	api, schema Version
	thread      *thread
	rings       []*ring
	shown       []source.Ring
	gone        tally // of rings that were closed
	bad         kernelsrc.Bad
	restart     bool // a CPU has come that has no ring
	stopped     bool // and nothing is recorded any more
	failed      bool // and it could not be opened anew
}

// tally is what the module counts of a ring.
type tally struct{ seen, full, memory, nested uint64 }

// kernel is what the package asks of the machine: the real one, or a test's.
type kernel interface {
	// open opens a device below /dev.
	open(path string) (device, error)
}

// device is an open device of a CPU.
type device interface {
	ioctl(request, arg uint) (int, error)
	// version is a request whose argument points at a version.
	version(request uint) (Version, error)
	// mapPage maps the page of a ring, which both change.
	mapPage() ([]byte, error)
	// mapRing maps a ring of that size twice in a row, to be read.
	mapRing(size int) ([]byte, error)
	close() error
}

// Open opens the devices of the module and lets it record.
func Open(cfg Config) (*Driver, error) { return open(cfg, machine{}) }

func open(cfg Config, k kernel) (*Driver, error) {
	d := &Driver{cfg: cfg, k: k, thread: newThread()}
	err := d.find()
	if err == nil {
		err = d.begin()
	}
	if err != nil {
		d.thread.end()
		return nil, err
	}
	return d, nil
}

// find looks which of the modules is loaded.
func (d *Driver) find() error {
	for _, name := range d.cfg.names() {
		_, err := os.Stat(filepath.Join(d.cfg.Root, "/dev", name+"0"))
		if err == nil {
			d.name = name
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("kernel module %s: %w", name, err)
		}
	}
	return fmt.Errorf("%w: there is no device /dev/%s0", ErrNotLoaded, strings.Join(d.cfg.names(), "0 nor /dev/"))
}

// API is the version of the interface of the module.
func (d *Driver) API() Version { return d.api }

// begin opens all devices, from one thread, and starts the capture.
func (d *Driver) begin() (err error) {
	d.setRingSize()
	d.thread.do(func() { err = d.openAll() })
	if err == nil {
		err = d.start()
	}
	if err != nil {
		d.closeAll()
		return fmt.Errorf("kernel module %s: %w", d.name, err)
	}
	d.shown = d.shown[:0]
	for _, r := range d.rings {
		d.shown = append(d.shown, r)
	}
	d.cfg.Log.Info().Str("module", d.name).Str("api", d.api.String()).Str("schema", d.schema.String()).
		Int("rings", len(d.rings)).Int("size", d.rings[0].size).Msg("kernel module opened")
	return nil
}

func (d *Driver) openAll() error {
	for cpu := range d.possible() {
		if err := d.openCPU(cpu); err != nil {
			return err
		}
	}
	if err := d.some(); err != nil {
		return err
	}
	for _, r := range d.rings {
		if err := r.mapAll(d.ringSize()); err != nil {
			return fmt.Errorf("%s: %w", d.path(r.cpu), err)
		}
	}
	return nil
}

// openFirst opens one device.
func (d *Driver) openFirst() error {
	for cpu := 0; len(d.rings) == 0 && cpu < d.possible(); cpu++ {
		if err := d.openCPU(cpu); err != nil {
			return err
		}
	}
	return d.some()
}

func (d *Driver) some() error {
	if len(d.rings) == 0 {
		return errors.New("no device of it can be opened: all CPUs are offline")
	}
	return nil
}

func (d *Driver) path(cpu int) string {
	return filepath.Join(d.cfg.Root, "/dev", d.name+strconv.Itoa(cpu))
}

// openCPU opens the device of a CPU that is online; the first one tells the versions.
func (d *Driver) openCPU(cpu int) error {
	dev, err := d.k.open(d.path(cpu))
	switch {
	case errors.Is(err, unix.ENODEV): // the CPU is offline
		return nil
	case errors.Is(err, unix.EBUSY):
		return ErrBusy
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the devices are root's", err)
	case err != nil:
		return err
	}
	d.rings = append(d.rings, &ring{d: d, dev: dev, cpu: cpu})
	if len(d.rings) == 1 {
		return d.handshake(dev)
	}
	return nil
}

// handshake asks for the versions of a module.
func (d *Driver) handshake(dev device) (err error) {
	if d.api, err = dev.version(reqAPI); err != nil {
		return fmt.Errorf("its API version is not told: %w", err)
	}
	if d.schema, err = dev.version(reqSchema); err != nil {
		return fmt.Errorf("its schema version is not told: %w", err)
	}
	if !known(d.api, d.schema) {
		return &VersionError{d.name, d.api, d.schema}
	}
	return nil
}

// possible is the number of CPUs that there can be.
func (d *Driver) possible() int {
	text, err := os.ReadFile(filepath.Join(d.cfg.Root, "/sys/devices/system/cpu/possible"))
	if err != nil {
		return maxCPUs
	}
	list := strings.TrimSpace(string(text))
	last, err := strconv.Atoi(list[strings.LastIndexAny(list, "-,")+1:])
	if err != nil || last < 0 || last >= maxCPUs {
		return maxCPUs
	}
	return last + 1
}

// maxCPUs bounds the devices that are tried.
const maxCPUs = 8192

// Rings implements [source.Rings]. After a CPU has come online that has no ring all
// begins anew, as soon as everything has been read: the module gives rings to those
// CPUs only that it finds at the first open. One that only goes keeps its ring for
// when it comes again: modules such as 8.0.3 write without looking whether there is one.
func (d *Driver) Rings() []source.Ring {
	if d.restart {
		d.again()
	}
	return d.shown
}

func (d *Driver) again() {
	if !d.stopped {
		d.stopped = true
		d.cfg.Log.Warn().Str("module", d.name).Msg("a CPU came online: the capture begins anew")
		if err := d.stop(); err != nil {
			d.cfg.Log.Warn().Err(err).Msg("the kernel module does not stop")
		}
	}
	for _, r := range d.rings {
		if !r.empty() {
			return
		}
	}
	_ = d.closeAll() // it has been stopped, and nothing is written
	d.shown = d.shown[:0]
	if err := d.begin(); err != nil {
		if !d.failed {
			d.cfg.Log.Error().Err(err).Msg("the capture cannot begin anew: it is tried again and again")
		}
		d.failed = true
		return
	}
	d.restart, d.stopped, d.failed = false, false, false
}

// has reports whether a CPU has a ring.
func (d *Driver) has(cpu int) bool {
	for _, r := range d.rings {
		if r.cpu == cpu {
			return true
		}
	}
	return false
}

// Stats implements [source.Rings].
func (d *Driver) Stats() event.Stats {
	t := d.gone
	for _, r := range d.rings {
		t.add(r.tally())
	}
	s := event.Stats{Seen: t.seen}
	s.Lost[event.CauseRingFull] = t.full
	s.Lost[event.CauseMemory] = t.memory
	s.Lost[event.CauseNested] = t.nested
	d.bad.AddTo(&s)
	return s
}

func (t *tally) add(o tally) {
	t.seen += o.seen
	t.full += o.full
	t.memory += o.memory
	t.nested += o.nested
}

// Close stops the capture and closes the devices.
func (d *Driver) Close() error {
	err := d.closeAll()
	d.thread.end()
	return err
}

func (d *Driver) closeAll() error {
	var errs []error
	if len(d.rings) > 0 && d.api != 0 {
		errs = append(errs, d.stop())
	}
	for _, r := range d.rings {
		d.gone.add(r.tally())
		errs = append(errs, r.close())
	}
	d.rings = nil
	return errors.Join(errs...)
}
