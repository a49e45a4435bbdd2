package ebpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/kernelsrc"
	"github.com/pdig/pdig/sensor/source"
)

// Driver is a loaded probe. It implements [source.Rings].
type Driver struct {
	cfg         Config
	api, schema kernelsrc.Version
	maps        []*ebpf.Map
	byName      map[string]*ebpf.Map
	programs    []*ebpf.Program
	entries     []entry
	links       []link.Link
	rings       []*ring
	shown       []source.Ring
	bad         kernelsrc.Bad
	gone        tally // of a probe that was closed
	came        []int // CPUs that have come and have no ring, or one of before they went
	late        map[int]*late
}

// late is a CPU that had no ring for a while.
type late struct {
	read     uint64 // from the rings that it had before
	ringless uint64
}

// entry is a program that a tracepoint runs.
type entry struct {
	program
	loaded *ebpf.Program
}

// ReleaseError is a probe for another kernel.
type ReleaseError struct{ Probe, Running string }

func (e *ReleaseError) Error() string {
	return fmt.Sprintf("the probe is built for kernel %s, running is %s: build it for this one", e.Probe, e.Running)
}

// Open loads the probe and lets it record.
func Open(cfg Config) (*Driver, error) {
	d := &Driver{cfg: cfg, byName: map[string]*ebpf.Map{}, late: map[int]*late{}}
	if err := d.begin(); err != nil {
		return nil, errors.Join(capability(err), d.Close())
	}
	return d, nil
}

// capability adds what is missing to an error of a kernel that does not permit. A
// verifier that refuses a program says EACCES, which is another matter.
func capability(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: needs CAP_BPF and CAP_PERFMON (before Linux 5.8 CAP_SYS_ADMIN)", err)
	}
	return err
}

// Check reports why a file is no probe that could be loaded here, without loading it.
func Check(file string) error {
	d := &Driver{cfg: Config{File: file}}
	_, _, err := d.known()
	return err
}

// known reads a probe of a version that is known.
func (d *Driver) known() (*object, *tables, error) {
	o, err := d.read()
	if err != nil {
		return nil, nil, err
	}
	t, err := findTables(o.api, o.schema)
	return o, t, err
}

// API is the version of the interface of the probe.
func (d *Driver) API() kernelsrc.Version { return d.api }

func (d *Driver) begin() error {
	o, t, err := d.known()
	if err != nil {
		return err
	}
	d.api, d.schema = o.api, o.schema
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("RLIMIT_MEMLOCK cannot be raised, needs CAP_SYS_RESOURCE: %w", err)
	}
	cpus, online, err := kernelsrc.CPUs()
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return d.createMaps(o, cpus) },
		func() error { return d.load(o) },
		func() error { return d.wire(t) },
		func() error { return d.fill(t) },
		func() error { return d.openRings(online) },
		d.set,
		d.attach,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	calibrate()
	d.cfg.Log.Info().Str("probe", d.cfg.File).Str("api", d.api.String()).Str("schema", d.schema.String()).
		Int("rings", len(d.rings)).Int("size", d.cfg.RingSize).Msg("classic eBPF probe loaded")
	return nil
}

// read reads the object and makes sure that it is of this kernel.
func (d *Driver) read() (*object, error) {
	f, err := os.OpenFile(d.cfg.File, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe does not wait for a writer
	if err != nil {
		return nil, errors.Unwrap(err) // the caller knows the name
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("no regular file")
	}
	o, err := readObject(f, info.Size())
	if err != nil {
		return nil, err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	if running := unix.ByteSliceToString(name.Release[:]); o.release != running {
		return nil, &ReleaseError{o.release, running}
	}
	return o, nil
}

// load loads all programs: the fillers, and those of tracepoints that are wanted.
func (d *Driver) load(o *object) error {
	for _, p := range o.programs {
		if p.filler == "" && !d.cfg.wantsTracepoint(p.event) {
			continue
		}
		loaded, err := d.loadProgram(o, &p)
		if err != nil {
			return fmt.Errorf("program %s: %w", p.section, err)
		}
		d.programs = append(d.programs, loaded)
		d.entries = append(d.entries, entry{p, loaded})
	}
	return nil
}

// loadProgram puts the maps into a program and loads it.
func (d *Driver) loadProgram(o *object, p *program) (*ebpf.Program, error) {
	insns, err := asm.AppendInstructions(nil, bytes.NewReader(p.code), le, "linux")
	if err != nil {
		return nil, err
	}
	at := map[uint64]*ebpf.Map{}
	for _, r := range p.refs {
		at[r.offset/insn] = d.maps[r.m]
	}
	for i := insns.Iterate(); i.Next(); {
		if m := at[uint64(i.Offset)]; m != nil {
			i.Ins.Src = asm.PseudoMapFD
			if err := i.Ins.AssociateMap(m); err != nil {
				return nil, err
			}
			delete(at, uint64(i.Offset))
		}
	}
	if len(at) > 0 {
		return nil, fmt.Errorf("%d references to maps are within instructions", len(at))
	}
	typ := ebpf.TracePoint
	if p.raw {
		typ = ebpf.RawTracepoint
	}
	name := p.filler + p.event
	return ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: typ, Instructions: insns, License: o.license, ByteOrder: le,
	})
}

// wire puts the fillers into the table of tail calls. Those that the object was
// built without stay empty.
func (d *Driver) wire(t *tables) error {
	index := map[string]uint32{}
	for i, name := range t.fillers {
		index[name] = uint32(i)
	}
	wired := 0
	for _, e := range d.entries {
		if e.filler == "" {
			continue
		}
		i, ok := index[e.filler]
		if !ok {
			return fmt.Errorf("program %s is none of this version", e.section)
		}
		if err := d.byName["tail_map"].Update(i, e.loaded, ebpf.UpdateAny); err != nil {
			return fmt.Errorf("tail_map[%d]: %w", i, err)
		}
		wired++
	}
	if wired == 0 {
		return fmt.Errorf("no fillers: this is no classic probe")
	}
	return nil
}

func (d *Driver) set() error {
	boot, err := bootTime()
	if err != nil {
		return err
	}
	m := d.byName["settings_map"]
	return d.put(m, 0, d.settings(m.ValueSize(), boot))
}

// attach lets the tracepoints run the programs.
func (d *Driver) attach() error {
	exits := false
	for _, e := range d.entries {
		if e.filler != "" {
			continue
		}
		l, err := e.attach()
		if err != nil {
			return fmt.Errorf("tracepoint %s: %w", e.event, err)
		}
		d.links = append(d.links, l)
		exits = exits || e.event == "sys_exit"
	}
	if !exits {
		return fmt.Errorf("no program for sys_exit: this is no classic probe")
	}
	return nil
}

func (e *entry) attach() (link.Link, error) {
	if e.raw {
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: e.event, Program: e.loaded})
	}
	return link.Tracepoint(e.group, e.event, e.loaded, nil)
}

// calibrate makes the call by which the probe learns where the operations of
// sockets are: without it their parameters stay empty.
func calibrate() {
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
		_ = unix.Close(fd) // it was made for the call
	}
}

// Rings implements [source.Rings].
func (d *Driver) Rings() []source.Ring {
	if len(d.came) > 0 {
		d.addRings()
	}
	return d.shown
}

// Stats implements [source.Rings].
func (d *Driver) Stats() event.Stats {
	t := d.tallies()
	s := event.Stats{Seen: t.seen}
	s.Lost[event.CauseRingFull] = t.full
	s.Lost[event.CauseTooLarge] = t.large
	s.Lost[event.CauseMemory] = t.memory
	s.Lost[event.CauseEncode] = t.bug
	s.Lost[event.CauseRing] = t.ringless
	d.bad.AddTo(&s)
	return s
}

// Close ends the recording and takes all out of the kernel.
func (d *Driver) Close() error {
	var errs []error
	for _, l := range d.links {
		errs = append(errs, l.Close())
	}
	d.gone = d.tallies()
	for _, r := range d.rings {
		errs = append(errs, r.close())
	}
	for _, p := range d.programs {
		errs = append(errs, p.Close())
	}
	for _, m := range d.maps {
		errs = append(errs, m.Close())
	}
	d.links, d.rings, d.shown, d.programs, d.maps, d.entries = nil, nil, nil, nil, nil, nil
	d.byName = map[string]*ebpf.Map{}
	return errors.Join(errs...)
}
